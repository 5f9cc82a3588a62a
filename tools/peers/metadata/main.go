// metadata reads a file that tells a container about its devices (KEP-5304) as Kubernetes' own
// library does, and writes it again: what the library knows of it must come out byte for byte.
//
// usage: metadata FILE...
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/dynamic-resource-allocation/api/metadata"
	"k8s.io/dynamic-resource-allocation/api/metadata/install"
	"k8s.io/dynamic-resource-allocation/api/metadata/v1alpha1"
	"k8s.io/dynamic-resource-allocation/devicemetadata"
)

func check(path string) error {
	stream, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var read metadata.DeviceMetadata
	decoder := json.NewDecoder(bytes.NewReader(stream))
	if err := devicemetadata.DecodeMetadataFromStream(decoder, &read); err != nil {
		return err
	}
	scheme := install.NewScheme()
	codecs := serializer.NewCodecFactory(scheme)
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	encoder := codecs.EncoderForVersion(info.PrettySerializer, v1alpha1.SchemeGroupVersion)
	written, err := runtime.Encode(encoder, &read)
	if err != nil {
		return err
	}
	// The older of the two versions, which is the one that this release of the library has.
	if !bytes.HasSuffix(stream, append(written, '\n')) && !bytes.HasSuffix(stream, written) {
		return fmt.Errorf("the library writes it otherwise:\n%s", written)
	}
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: metadata FILE...")
		os.Exit(2)
	}
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d files are read and written alike.\n", len(os.Args)-1)
}
