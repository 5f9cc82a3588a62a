package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"sort"
	"strings"
	"unicode/utf8"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/utils/ptr"

	"github.com/blang/semver/v4"
)

// An expression, the device that it is evaluated on, and how. Texts are base64, since JSON holds no
// ill-formed UTF-8.
type request struct {
	Expr       string           `json:"expr"`
	Device     []attributeOrCap `json:"device"`
	Driver     string           `json:"driver"`
	Multi      bool             `json:"multi"`      // allowMultipleAllocations
	Consumable bool             `json:"consumable"` // DRAConsumableCapacity
	Lists      bool             `json:"lists"`      // DRAListTypeAttributes
	New        bool             `json:"new"`        // the environment of new expressions
	// Evaluate to whatever type, in the same environment, rather than match a device.
	Value     bool   `json:"value"`
	CostLimit uint64 `json:"costLimit"` // 0: the default
}

type attributeOrCap struct {
	Name     string    `json:"name"`
	Bool     *bool     `json:"bool,omitempty"`
	Int      *int64    `json:"int,omitempty"`
	String   *string   `json:"string,omitempty"`
	Version  *string   `json:"version,omitempty"`
	Bools    *[]bool   `json:"bools,omitempty"`
	Ints     *[]int64  `json:"ints,omitempty"`
	Strings  *[]string `json:"strings,omitempty"`
	Versions *[]string `json:"versions,omitempty"`
	Capacity *string   `json:"capacity,omitempty"`
}

// What came out; of several evaluations, each outcome once: Go goes over maps in random order.
type outcome struct {
	Value string `json:"value,omitempty"`
	Error string `json:"error,omitempty"` // base64
	Cost  uint64 `json:"cost"`
}

type response struct {
	Request      request   `json:"request"`
	CompileError string    `json:"compileError,omitempty"` // base64
	Internal     bool      `json:"internal,omitempty"`
	Type         string    `json:"type,omitempty"`
	MaxCost      uint64    `json:"maxCost,omitempty"`
	Outcomes     []outcome `json:"outcomes,omitempty"`
	Panic        string    `json:"panic,omitempty"` // of cel-go; Kubernetes has no answer then
}

const (
	evaluations     = 20
	moreEvaluations = 300
)

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func (r request) device() cel.Device {
	d := cel.Device{
		Driver:                   r.Driver,
		AllowMultipleAllocations: ptr.To(r.Multi),
		Attributes:               map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{},
		Capacity:                 map[resourceapi.QualifiedName]resourceapi.DeviceCapacity{},
	}
	for _, e := range r.Device {
		name := resourceapi.QualifiedName(e.Name)
		if e.Capacity != nil {
			d.Capacity[name] = resourceapi.DeviceCapacity{Value: resource.MustParse(*e.Capacity)}
			continue
		}
		a := resourceapi.DeviceAttribute{BoolValue: e.Bool, IntValue: e.Int, StringValue: e.String, VersionValue: e.Version}
		if e.Bools != nil {
			a.BoolValues = *e.Bools
		}
		if e.Ints != nil {
			a.IntValues = *e.Ints
		}
		if e.Strings != nil {
			a.StringValues = *e.Strings
		}
		if e.Versions != nil {
			a.VersionValues = *e.Versions
		}
		d.Attributes[name] = a
	}
	return d
}

func (r request) options() cel.Options {
	options := cel.Options{}
	if r.New {
		options.EnvType = ptr.To(environment.NewExpressions)
	}
	if r.CostLimit != 0 {
		options.CostLimit = &r.CostLimit
	}
	return options
}

func (r request) answer() (out response, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			out, err = response{Request: r, Panic: fmt.Sprint(reason)}, nil
		}
	}()
	text, err := base64.StdEncoding.DecodeString(r.Expr)
	if err != nil {
		return response{}, err
	}
	expr := string(text)
	compiler := cel.GetCompiler(cel.Features{
		EnableConsumableCapacity: r.Consumable,
		EnableListTypeAttributes: r.Lists,
	})
	if r.Value {
		return r.evaluate(expr, compiler.CompileCELExpression("true", r.options()).Environment)
	}
	out = response{Request: r}
	compiled := compiler.CompileCELExpression(expr, r.options())
	if compiled.Error != nil {
		out.CompileError = encode(compiled.Error.Detail)
		out.Internal = compiled.Error.Type == apiservercel.ErrorTypeInternal
		return out, nil
	}
	out.Type = compiled.OutputType.String()
	out.MaxCost = compiled.MaxCost
	d := r.device()
	out.Outcomes = collect(func() outcome {
		var o outcome
		match, details, err := compiled.DeviceMatches(context.Background(), d)
		if err != nil {
			o.Error = encode(err.Error())
		} else {
			o.Value = fmt.Sprint(match)
		}
		if details != nil && details.ActualCost() != nil {
			o.Cost = *details.ActualCost()
		}
		return o
	})
	return out, nil
}

// Evaluates an expression of any type as a selector is evaluated.
func (r request) evaluate(expr string, env *celgo.Env) (response, error) {
	out := response{Request: r}
	ast, issues := env.Compile(expr)
	if issues != nil && issues.Err() != nil {
		out.CompileError = encode(issues.String())
		return out, nil
	}
	out.Type = ast.OutputType().String()
	limit := uint64(resourceapi.CELSelectorExpressionMaxCost)
	if r.CostLimit != 0 {
		limit = r.CostLimit
	}
	program, err := env.Program(ast, celgo.CostLimit(limit))
	if err != nil {
		out.CompileError = encode(err.Error())
		out.Internal = true
		return out, nil
	}
	d := r.device()
	out.Outcomes = collect(func() outcome {
		var o outcome
		variables, err := r.variables(env, d)
		if err != nil {
			o.Error = encode(err.Error())
			return o
		}
		value, details, err := program.ContextEval(context.Background(), variables)
		if err != nil {
			o.Error = encode(err.Error())
		} else {
			o.Value = show(value)
		}
		if details != nil && details.ActualCost() != nil {
			o.Cost = *details.ActualCost()
		}
		return o
	})
	return out, nil
}

func collect(evaluate func() outcome) []outcome {
	seen := map[outcome]bool{}
	limit := evaluations
	for i := 0; i < limit; i++ {
		seen[evaluate()] = true
		if len(seen) > 1 {
			limit = moreEvaluations
		}
	}
	outcomes := make([]outcome, 0, len(seen))
	for o := range seen {
		outcomes = append(outcomes, o)
	}
	return outcomes
}

// The input of an evaluation, as DeviceMatches makes it.
func (r request) variables(env *celgo.Env, d cel.Device) (map[string]any, error) {
	attributes := map[string]any{}
	for name, attribute := range d.Attributes {
		value, err := r.native(attribute)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		domain, id := r.split(string(name))
		if attributes[domain] == nil {
			attributes[domain] = map[string]any{}
		}
		attributes[domain].(map[string]any)[id] = value
	}
	capacity := map[string]any{}
	for name, c := range d.Capacity {
		domain, id := r.split(string(name))
		if capacity[domain] == nil {
			capacity[domain] = map[string]apiservercel.Quantity{}
		}
		capacity[domain].(map[string]apiservercel.Quantity)[id] = apiservercel.Quantity{Quantity: &c.Value}
	}
	adapter := env.CELTypeAdapter()
	empty := adapter.NativeToValue(map[string]any{})
	return map[string]any{"device": map[string]any{
		"driver":                   d.Driver,
		"allowMultipleAllocations": *d.AllowMultipleAllocations,
		"attributes":               withDefault{types.NewStringInterfaceMap(adapter, attributes), empty},
		"capacity":                 withDefault{types.NewStringInterfaceMap(adapter, capacity), empty},
	}}, nil
}

func (r request) split(name string) (string, string) {
	domain, id, found := strings.Cut(name, "/")
	if !found {
		return r.Driver, name
	}
	return domain, id
}

func (r request) native(a resourceapi.DeviceAttribute) (any, error) {
	parse := func(text string) (apiservercel.Semver, error) {
		v, err := semver.Parse(text)
		if err != nil {
			return apiservercel.Semver{}, fmt.Errorf("parse semantic version: %w", err)
		}
		return apiservercel.Semver{Version: v}, nil
	}
	switch {
	case r.Lists && a.IntValues != nil:
		return a.IntValues, nil
	case r.Lists && a.BoolValues != nil:
		return a.BoolValues, nil
	case r.Lists && a.StringValues != nil:
		return a.StringValues, nil
	case r.Lists && a.VersionValues != nil:
		var versions []apiservercel.Semver
		for _, text := range a.VersionValues {
			version, err := parse(text)
			if err != nil {
				return nil, err
			}
			versions = append(versions, version)
		}
		return versions, nil
	case a.IntValue != nil:
		return *a.IntValue, nil
	case a.BoolValue != nil:
		return *a.BoolValue, nil
	case a.StringValue != nil:
		return *a.StringValue, nil
	case a.VersionValue != nil:
		return parse(*a.VersionValue)
	}
	return nil, fmt.Errorf("unsupported attribute value")
}

type withDefault struct {
	traits.Mapper
	empty ref.Val
}

func (m withDefault) Find(key ref.Val) (ref.Val, bool) {
	if value, found := m.Mapper.Find(key); found {
		return value, true
	}
	return m.empty, true
}

// A value as cel/testing/show.h writes it.
func show(value ref.Val) string {
	switch v := value.(type) {
	case types.Null:
		return "null"
	case types.Bool:
		return fmt.Sprint(bool(v))
	case types.Int:
		return fmt.Sprint(int64(v))
	case types.Uint:
		return fmt.Sprintf("%du", uint64(v))
	case types.Double:
		if math.IsNaN(float64(v)) {
			return "nan"
		}
		return fmt.Sprintf("d%016x", math.Float64bits(float64(v)))
	case types.String:
		if !utf8.ValidString(string(v)) {
			return "s!" + encode(string(v))
		}
		return "s" + encode(string(v))
	case types.Bytes:
		return "b" + encode(string(v))
	case types.Duration:
		return fmt.Sprintf("%dns", v.Nanoseconds())
	case types.Timestamp:
		return fmt.Sprintf("%d.%09d", v.Unix(), v.Nanosecond())
	case *types.Type:
		return "type " + v.TypeName()
	case *types.Optional:
		if !v.HasValue() {
			return "none"
		}
		return "some(" + show(v.GetValue()) + ")"
	case traits.Mapper:
		var entries []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			entries = append(entries, show(key)+":"+show(v.Get(key)))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ",") + "}"
	case traits.Lister:
		var elements []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			elements = append(elements, show(it.Next()))
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	return "a " + value.Type().TypeName()
}
