// api_types answers, with Kubernetes' own code, what api/ is compared with. One request a line,
// one answer a line:
//
//	object <JSON in hexadecimal>   -> ok <JSON, hex> <protobuf with its envelope, hex>
//	quantity <text, hex>           -> ok <canonical text, hex> <Value> <MilliValue> <AsInt64 or ->
//	sum <text, hex> <text, hex>    -> ok <a+b, hex> <a-b, hex> <a cmp b>
//	labels <selector, hex>         -> ok <selector as printed, hex>
//	fields <selector, hex>         -> ok <selector as printed, hex>
//	duration <text, hex>           -> ok <duration as printed, hex>
//	time <text, hex>               -> ok <seconds since 1970>
//
// or "error <text, hex>".
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var (
	jsonSerializer = json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme,
		scheme.Scheme, json.SerializerOptions{Strict: true})
	protoSerializer = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
)

func answer(verb string, args []string) (string, error) {
	switch verb {
	case "object":
		object, _, err := jsonSerializer.Decode([]byte(args[0]), nil, nil)
		if err != nil {
			return "", err
		}
		var asJSON, asProto bytes.Buffer
		if err := jsonSerializer.Encode(object, &asJSON); err != nil {
			return "", err
		}
		if err := protoSerializer.Encode(object, &asProto); err != nil {
			return "", err
		}
		text := bytes.TrimSuffix(asJSON.Bytes(), []byte("\n"))
		return hex.EncodeToString(text) + " " + hex.EncodeToString(asProto.Bytes()), nil
	case "quantity":
		quantity, err := resource.ParseQuantity(args[0])
		if err != nil {
			return "", err
		}
		exact := "-"
		if value, ok := quantity.AsInt64(); ok {
			exact = fmt.Sprint(value)
		}
		return fmt.Sprintf("%x %d %d %s", quantity.String(), quantity.Value(),
			quantity.MilliValue(), exact), nil
	case "sum":
		a, err := resource.ParseQuantity(args[0])
		if err != nil {
			return "", err
		}
		b, err := resource.ParseQuantity(args[1])
		if err != nil {
			return "", err
		}
		sum, difference := a.DeepCopy(), a.DeepCopy()
		sum.Add(b)
		difference.Sub(b)
		return fmt.Sprintf("%x %x %d", sum.String(), difference.String(), a.Cmp(b)), nil
	case "labels":
		selector, err := labels.Parse(args[0])
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%x", selector.String()), nil
	case "fields":
		selector, err := fields.ParseSelector(args[0])
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%x", selector.String()), nil
	case "duration":
		duration, err := time.ParseDuration(args[0])
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%x", duration.String()), nil
	case "time":
		parsed, err := time.Parse(time.RFC3339, args[0])
		if err != nil {
			return "", err
		}
		return fmt.Sprint(parsed.Unix()), nil
	}
	return "", fmt.Errorf("unknown verb %q", verb)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		// Split, not Fields: an argument may be empty.
		parts := strings.Split(in.Text(), " ")
		args := make([]string, len(parts)-1)
		for i, part := range parts[1:] {
			text, err := hex.DecodeString(part)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(2)
			}
			args[i] = string(text)
		}
		if result, err := answer(parts[0], args); err != nil {
			fmt.Fprintf(out, "error %x\n", err.Error())
		} else {
			fmt.Fprintf(out, "ok %s\n", result)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
