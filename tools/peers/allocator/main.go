// Command allocator answers allocation questions with Kubernetes' own allocator, so that Assay's can
// be held to it.
//
// It reads objects as JSON, one a line, from standard input: Node, DeviceClass, ResourceSlice,
// ResourceClaim. A claim that has an allocation is in use; one that has none is allocated on the first
// node where it fits, and is in use from then on. For each of these it prints one line:
//
//	{"claim":"ns/name","node":"n","allocation":{...}}   it fits
//	{"claim":"ns/name"}                                 it does not
//	{"claim":"ns/name","error":"..."}                   a fatal error
//
// {"kind":"Together","items":[...]} are claims that are allocated together, on one node; the answer has
// "claims" and "allocations".
//
// {"kind":"Reset"} forgets everything; "features":["DRAListTypeAttributes",...] in it turns on what is
// not on by default, until the next one. After it, and at the end, output is flushed.
//
// go.mod builds it with the allocator of Kubernetes 1.36, go.1.37.mod (-modfile) with that of 1.37.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

// What levels 1.36 and 1.37 turn on.
func defaultFeatures() structured.Features {
	return structured.Features{
		AdminAccess:            true,
		ConsumableCapacity:     true,
		DeviceBindingAndStatus: true,
		DeviceTaints:           true,
		PartitionableDevices:   true,
		PrioritizedList:        true,
	}
}

type classes map[string]*resourceapi.DeviceClass

func (c classes) List() ([]*resourceapi.DeviceClass, error) {
	var list []*resourceapi.DeviceClass
	for _, class := range c {
		list = append(list, class)
	}
	return list, nil
}

func (c classes) Get(name string) (*resourceapi.DeviceClass, error) {
	if class, ok := c[name]; ok {
		return class, nil
	}
	return nil, apierrors.NewNotFound(resourceapi.Resource("deviceclass"), name)
}

type world struct {
	features structured.Features
	nodes    []*corev1.Node
	classes  classes
	slices   []*resourceapi.ResourceSlice
	claims   []*resourceapi.ResourceClaim
	cache    *cel.Cache
}

type answer struct {
	Claim       string                         `json:"claim,omitempty"`
	Claims      []string                       `json:"claims,omitempty"`
	Allocations []resourceapi.AllocationResult `json:"allocations,omitempty"`
	Node        string                         `json:"node,omitempty"`
	Allocation  *resourceapi.AllocationResult  `json:"allocation,omitempty"`
	Error       string                         `json:"error,omitempty"`
}

func newWorld(enabled []string) *world {
	features := defaultFeatures()
	enable(&features, enabled)
	return &world{
		features: features,
		classes:  classes{},
		cache: cel.NewCache(100, cel.Features{
			EnableConsumableCapacity: true,
			EnableListTypeAttributes: features.ListTypeAttributes,
		}),
	}
}

// enable turns features on by their gates' names. Fields are found by name: not every version has
// each of them.
func enable(features *structured.Features, names []string) {
	fields := map[string]string{
		"DRADeviceCompatibilityGroups": "CompatibilityGroups",
		"DRADerivedAttributes":         "DerivedAttributes",
		"DRAFractionalCapacityRange":   "FractionalCapacityRange",
		"DRAListTypeAttributes":        "ListTypeAttributes",
		"DRAOptionalNodeOperations":    "OptionalNodeOperations",
	}
	for _, name := range names {
		field := reflect.ValueOf(features).Elem().FieldByName(fields[name])
		if !field.IsValid() {
			fmt.Fprintf(os.Stderr, "unknown feature %q\n", name)
			os.Exit(2)
		}
		field.SetBool(true)
	}
}

// state is what the scheduler makes of the allocated claims.
func (w *world) state() structured.AllocatedState {
	state := structured.AllocatedState{
		AllocatedDevices:         sets.New[structured.DeviceID](),
		AllocatedSharedDeviceIDs: sets.New[structured.SharedDeviceID](),
		AggregatedCapacity:       structured.NewConsumedCapacityCollection(),
	}
	for _, claim := range w.claims {
		for _, result := range claim.Status.Allocation.Devices.Results {
			if result.AdminAccess != nil && *result.AdminAccess {
				continue
			}
			id := structured.MakeDeviceID(result.Driver, result.Pool, result.Device)
			if result.ShareID == nil {
				state.AllocatedDevices.Insert(id)
				continue
			}
			state.AllocatedSharedDeviceIDs.Insert(structured.MakeSharedDeviceID(id, result.ShareID))
			if result.ConsumedCapacity != nil {
				state.AggregatedCapacity.Insert(
					structured.NewDeviceConsumedCapacity(id, result.ConsumedCapacity))
			}
		}
	}
	return state
}

// allocate finds devices for claims on the first node that has them.
func (w *world) allocate(claims []*resourceapi.ResourceClaim) (node string, results []resourceapi.AllocationResult, failure string) {
	ctx := context.Background()
	allocator, err := structured.NewAllocator(ctx, w.features, w.state(), w.classes, w.slices, w.cache)
	if err != nil {
		return "", nil, err.Error()
	}
	for _, node := range w.nodes {
		results, err := allocator.Allocate(ctx, node, claims)
		if errors.Is(err, structured.ErrFailedAllocationOnNode) {
			failure = err.Error()
			continue
		}
		if err != nil {
			return "", nil, err.Error()
		}
		if len(results) == len(claims) {
			for i := range claims {
				claims[i].Status.Allocation = results[i].DeepCopy()
				w.claims = append(w.claims, claims[i])
			}
			return node.Name, results, ""
		}
	}
	return "", nil, failure
}

// normalize replaces what is random.
func normalize(results []resourceapi.AllocationResult) {
	for r := range results {
		for i := range results[r].Devices.Results {
			if results[r].Devices.Results[i].ShareID != nil {
				id := types.UID("share")
				results[r].Devices.Results[i].ShareID = &id
			}
		}
	}
}

func (w *world) answerOne(claim *resourceapi.ResourceClaim) answer {
	a := answer{Claim: claim.Namespace + "/" + claim.Name}
	var results []resourceapi.AllocationResult
	a.Node, results, a.Error = w.allocate([]*resourceapi.ResourceClaim{claim})
	normalize(results)
	if len(results) == 1 {
		a.Allocation = &results[0]
	}
	return a
}

func (w *world) answerTogether(claims []*resourceapi.ResourceClaim) answer {
	var a answer
	for _, claim := range claims {
		setDefaults(claim)
		a.Claims = append(a.Claims, claim.Namespace+"/"+claim.Name)
	}
	a.Node, a.Allocations, a.Error = w.allocate(claims)
	normalize(a.Allocations)
	return a
}

// setDefaults does what the API server's defaulting does to a claim.
func setDefaults(claim *resourceapi.ResourceClaim) {
	mode := func(mode *resourceapi.DeviceAllocationMode, count *int64) {
		if *mode == "" {
			*mode = resourceapi.DeviceAllocationModeExactCount
		}
		if *mode == resourceapi.DeviceAllocationModeExactCount && *count == 0 {
			*count = 1
		}
	}
	for i := range claim.Spec.Devices.Requests {
		request := &claim.Spec.Devices.Requests[i]
		if request.Exactly != nil {
			mode(&request.Exactly.AllocationMode, &request.Exactly.Count)
		}
		for j := range request.FirstAvailable {
			mode(&request.FirstAvailable[j].AllocationMode, &request.FirstAvailable[j].Count)
		}
	}
}

func decode[T any](line []byte) *T {
	value := new(T)
	if err := json.Unmarshal(line, value); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, line)
		os.Exit(2)
	}
	return value
}

func write(out *bufio.Writer, a answer) {
	text, err := json.Marshal(a)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Fprintf(out, "%s\n", text)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	w := newWorld(nil)
	for in.Scan() {
		line := in.Bytes()
		if len(line) == 0 {
			continue
		}
		switch kind := decode[metav1.TypeMeta](line).Kind; kind {
		case "Reset":
			reset := decode[struct {
				Features []string `json:"features"`
			}](line)
			w = newWorld(reset.Features)
			out.Flush()
		case "Node":
			w.nodes = append(w.nodes, decode[corev1.Node](line))
		case "DeviceClass":
			class := decode[resourceapi.DeviceClass](line)
			w.classes[class.Name] = class
		case "ResourceSlice":
			w.slices = append(w.slices, decode[resourceapi.ResourceSlice](line))
		case "ResourceClaim":
			claim := decode[resourceapi.ResourceClaim](line)
			setDefaults(claim)
			if claim.Status.Allocation != nil {
				w.claims = append(w.claims, claim)
				continue
			}
			write(out, w.answerOne(claim))
		case "Together":
			write(out, w.answerTogether(decode[struct {
				Items []*resourceapi.ResourceClaim `json:"items"`
			}](line).Items))
		default:
			fmt.Fprintf(os.Stderr, "unknown kind %q\n", kind)
			os.Exit(2)
		}
	}
}
