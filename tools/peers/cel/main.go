// Command cel evaluates DRA selectors with Kubernetes' own CEL, so that Assay's can be held to it.
//
// It reads expressions from standard input, one a line, as JSON strings, evaluates each on one device
// (below), and prints one line of JSON for each: what compiling said, what evaluating gave, and what
// both cost. With -lists, list attributes are on.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/utils/ptr"
)

type answer struct {
	Expr         string  `json:"expr"`
	Lists        bool    `json:"listTypeAttributes"`
	CompileError string  `json:"compileError,omitempty"`
	Type         string  `json:"type,omitempty"`
	MaxCost      uint64  `json:"maxCost,omitempty"`
	Match        *bool   `json:"match,omitempty"`
	Error        string  `json:"error,omitempty"`
	Cost         *uint64 `json:"cost,omitempty"`
}

func device(lists bool) cel.Device {
	d := cel.Device{
		Driver:                   "dra.example.com",
		AllowMultipleAllocations: ptr.To(true),
		Attributes: map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{
			"b":                   {BoolValue: ptr.To(true)},
			"i":                   {IntValue: ptr.To(int64(7))},
			"s":                   {StringValue: ptr.To("fish")},
			"v":                   {VersionValue: ptr.To("1.2.3-rc.1+b5")},
			"other.example.com/s": {StringValue: ptr.To("x")},
		},
		Capacity: map[resourceapi.QualifiedName]resourceapi.DeviceCapacity{
			"mem":   {Value: resource.MustParse("1Gi")},
			"cores": {Value: resource.MustParse("1500m")},
		},
	}
	if lists {
		d.Attributes["il"] = resourceapi.DeviceAttribute{IntValues: []int64{1, 2, 3}}
		d.Attributes["sl"] = resourceapi.DeviceAttribute{StringValues: []string{"a", "b"}}
		d.Attributes["bl"] = resourceapi.DeviceAttribute{BoolValues: []bool{true, false}}
		d.Attributes["vl"] = resourceapi.DeviceAttribute{VersionValues: []string{"1.0.0"}}
	}
	return d
}

func main() {
	lists := flag.Bool("lists", false, "list attributes")
	flag.Parse()
	compiler := cel.GetCompiler(cel.Features{
		EnableConsumableCapacity: true,
		EnableListTypeAttributes: *lists,
	})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var expr string
		if err := json.Unmarshal(in.Bytes(), &expr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		a := answer{Expr: expr, Lists: *lists}
		compiled := compiler.CompileCELExpression(expr, cel.Options{})
		if compiled.Error != nil {
			a.CompileError = compiled.Error.Detail
		} else {
			a.Type = compiled.OutputType.String()
			a.MaxCost = compiled.MaxCost
			match, details, err := compiled.DeviceMatches(context.Background(), device(*lists))
			if err != nil {
				a.Error = err.Error()
			} else {
				a.Match = &match
			}
			if details != nil {
				a.Cost = details.ActualCost()
			}
		}
		text, err := json.Marshal(a)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		fmt.Fprintf(out, "%s\n", text)
	}
}
