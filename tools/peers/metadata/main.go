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
	// In each version that this release of the library has.
	versions := scheme.PrioritizedVersionsForGroup(metadata.GroupName)
	for _, version := range versions {
		object, err := runtime.Encode(codecs.EncoderForVersion(info.PrettySerializer, version), &read)
		if err != nil {
			return err
		}
		if !bytes.Contains(stream, append(bytes.TrimSpace(object), '\n')) {
			return fmt.Errorf("the library writes it otherwise:\n%s", object)
		}
	}
	if len(versions) == 0 {
		return fmt.Errorf("the library has no version of it")
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
