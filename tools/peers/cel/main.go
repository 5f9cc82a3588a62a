// What Kubernetes answers to CEL expressions: the peer of cel/.
//
// Reads one JSON value a line and prints one line of JSON for each. A string is an expression that is
// matched against one device (below): the answers make cel/testdata/selectors.json. An object is a
// request (see `request`), echoed with what Kubernetes says. With -lists, list attributes are on for
// strings. With -declarations it reads nothing and prints every overload that can be called.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apiserver/pkg/cel/environment"
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

func probe(expr string, lists bool) answer {
	compiler := cel.GetCompiler(cel.Features{
		EnableConsumableCapacity: true,
		EnableListTypeAttributes: lists,
	})
	a := answer{Expr: expr, Lists: lists}
	compiled := compiler.CompileCELExpression(expr, cel.Options{})
	if compiled.Error != nil {
		a.CompileError = compiled.Error.Detail
		return a
	}
	a.Type = compiled.OutputType.String()
	a.MaxCost = compiled.MaxCost
	match, details, err := compiled.DeviceMatches(context.Background(), device(lists))
	if err != nil {
		a.Error = err.Error()
	} else {
		a.Match = &match
	}
	if details != nil {
		a.Cost = details.ActualCost()
	}
	return a
}

// One line for each overload, as cel/testing/declarations.h writes it.
func declared() []string {
	compiler := cel.GetCompiler(cel.Features{EnableConsumableCapacity: true, EnableListTypeAttributes: true})
	options := cel.Options{EnvType: ptr.To(environment.NewExpressions)}
	var lines []string
	for name, function := range compiler.CompileCELExpression("true", options).Environment.Functions() {
		if function.IsDeclarationDisabled() {
			continue // no expression can name it
		}
		for _, overload := range function.OverloadDecls() {
			kind := "global"
			if overload.IsMemberFunction() {
				kind = "member"
			}
			var params []string
			for _, param := range overload.ArgTypes() {
				params = append(params, param.String())
			}
			lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t(%s) -> %s",
				name, kind, overload.ID(), strings.Join(params, ", "), overload.ResultType()))
		}
	}
	sort.Strings(lines)
	return lines
}

func reply(line []byte, lists bool) (any, error) {
	if bytes.HasPrefix(bytes.TrimSpace(line), []byte(`"`)) {
		var expr string
		if err := json.Unmarshal(line, &expr); err != nil {
			return nil, err
		}
		return probe(expr, lists), nil
	}
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	return r.answer()
}

func main() {
	lists := flag.Bool("lists", false, "list attributes")
	declarations := flag.Bool("declarations", false, "print what Kubernetes declares, and end")
	flag.Parse()
	if *declarations {
		for _, line := range declared() {
			fmt.Println(line)
		}
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		answer, err := reply(in.Bytes(), *lists)
		if err == nil {
			err = encoder.Encode(answer)
		}
		if err != nil {
			out.Flush()
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if err := in.Err(); err != nil {
		out.Flush()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
