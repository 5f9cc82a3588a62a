// Command upstream-allocator times Kubernetes' own allocator on the cases of
// bench/macro/allocator/cases.json, in the way that bench_allocator times Assay's: the same inputs,
// the same operations (bench/macro/allocator/operations.h says what each measures), the same flags,
// and the report of google-benchmark, so that bench/compare can set the two side by side.
//
// The version of Kubernetes is that of the module file it is built with: go.mod or go-0.36.mod.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

// What level 1.36 turns on.
var features = structured.Features{
	AdminAccess:            true,
	ConsumableCapacity:     true,
	DeviceBindingAndStatus: true,
	DeviceTaints:           true,
	PartitionableDevices:   true,
	PrioritizedList:        true,
}

// benchmarkCase is one entry of cases.json.
type benchmarkCase struct {
	Name      string   `json:"name"`
	Operation string   `json:"operation"`
	Inputs    []string `json:"inputs"`
	Claims    string   `json:"claims"`
	Sizes     []int    `json:"sizes"`
}

// report is an entry of google-benchmark's "benchmarks".
type report struct {
	Name           string  `json:"name"`
	RunName        string  `json:"run_name"`
	RunType        string  `json:"run_type"`
	Iterations     int     `json:"iterations"`
	RealTime       float64 `json:"real_time"`
	CPUTime        float64 `json:"cpu_time"`
	TimeUnit       string  `json:"time_unit"`
	ErrorOccurred  bool    `json:"error_occurred,omitempty"`
	ErrorMessage   string  `json:"error_message,omitempty"`
	Limited        float64 `json:"limited,omitempty"`
	Allocations    float64 `json:"allocations"`
	AllocatedBytes float64 `json:"allocated_bytes"`
	HeapBytes      float64 `json:"heap_bytes,omitempty"`
	Fits           float64 `json:"fits"`
	Answer         float64 `json:"answer"`
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

// world is what the scheduler keeps between two pods.
type world struct {
	nodes   []*corev1.Node
	classes classes
	slices  []*resourceapi.ResourceSlice
	claims  []*resourceapi.ResourceClaim // to be allocated
	state   structured.AllocatedState
	cache   *cel.Cache
}

func newWorld() *world {
	return &world{
		classes: classes{},
		state: structured.AllocatedState{
			AllocatedDevices:         sets.New[structured.DeviceID](),
			AllocatedSharedDeviceIDs: sets.New[structured.SharedDeviceID](),
			AggregatedCapacity:       structured.NewConsumedCapacityCollection(),
		},
		cache: cel.NewCache(100, cel.Features{EnableConsumableCapacity: true}),
	}
}

// setInUse does what the scheduler's claim tracker does when an allocated claim comes or goes.
func (w *world) setInUse(allocation *resourceapi.AllocationResult, inUse bool) {
	for _, result := range allocation.Devices.Results {
		if result.AdminAccess != nil && *result.AdminAccess {
			continue
		}
		id := structured.MakeDeviceID(result.Driver, result.Pool, result.Device)
		if result.ShareID == nil {
			if inUse {
				w.state.AllocatedDevices.Insert(id)
			} else {
				w.state.AllocatedDevices.Delete(id)
			}
			continue
		}
		share := structured.MakeSharedDeviceID(id, result.ShareID)
		if inUse {
			w.state.AllocatedSharedDeviceIDs.Insert(share)
		} else {
			w.state.AllocatedSharedDeviceIDs.Delete(share)
		}
		if result.ConsumedCapacity != nil {
			capacity := structured.NewDeviceConsumedCapacity(id, result.ConsumedCapacity)
			if inUse {
				w.state.AggregatedCapacity.Insert(capacity)
			} else {
				w.state.AggregatedCapacity.Remove(capacity)
			}
		}
	}
}

// clonedState is what the scheduler hands to each pod's allocator (GatherAllocatedState).
func (w *world) clonedState() structured.AllocatedState {
	return structured.AllocatedState{
		AllocatedDevices:         w.state.AllocatedDevices.Clone(),
		AllocatedSharedDeviceIDs: w.state.AllocatedSharedDeviceIDs.Clone(),
		AggregatedCapacity:       w.state.AggregatedCapacity.Clone(),
	}
}

func (w *world) allocator(state structured.AllocatedState) structured.Allocator {
	allocator, err := structured.NewAllocator(
		context.Background(), features, state, w.classes, w.slices, w.cache)
	if err != nil {
		fail(err)
	}
	return allocator
}

// allocate asks one node; nil if the claim does not fit there.
func allocate(ctx context.Context, allocator structured.Allocator, node *corev1.Node,
	claim *resourceapi.ResourceClaim) *resourceapi.AllocationResult {
	results, err := allocator.Allocate(ctx, node, []*resourceapi.ResourceClaim{claim})
	if err != nil && !errors.Is(err, structured.ErrFailedAllocationOnNode) && ctx.Err() == nil {
		fail(fmt.Errorf("claim %s on node %s: %w", claim.Name, node.Name, err))
	}
	if err != nil || len(results) != 1 {
		return nil
	}
	return &results[0]
}

// answers collects what was answered, so that two programs can be held to the same answers.
type answers struct {
	fits int
	text strings.Builder
}

func (a *answers) add(node *corev1.Node, allocation *resourceapi.AllocationResult) {
	if a == nil || allocation == nil {
		return
	}
	a.fits++
	a.text.WriteString(node.Name)
	for _, result := range allocation.Devices.Results {
		fmt.Fprintf(&a.text, " %s=%s/%s/%s", result.Request, result.Driver, result.Pool, result.Device)
	}
	a.text.WriteString("\n")
}

// number is the answers' hash, short enough for a float64.
func (a *answers) number() float64 {
	hash := fnv.New64a()
	hash.Write([]byte(a.text.String()))
	return float64(hash.Sum64() & (1<<52 - 1))
}

// operation is one iteration; `a` is not nil in the one that is not timed.
type operation func(ctx context.Context, iteration int, a *answers)

func (w *world) firstFit(ctx context.Context, allocator structured.Allocator,
	claim *resourceapi.ResourceClaim, a *answers) *resourceapi.AllocationResult {
	for _, node := range w.nodes {
		if allocation := allocate(ctx, allocator, node, claim); allocation != nil {
			a.add(node, allocation)
			return allocation
		}
	}
	return nil
}

func (w *world) operation(name string) operation {
	claim := func(iteration int) *resourceapi.ResourceClaim {
		return w.claims[iteration%len(w.claims)]
	}
	switch name {
	case "check":
		allocator := w.allocator(w.state)
		return func(ctx context.Context, iteration int, a *answers) {
			a.add(w.nodes[0], allocate(ctx, allocator, w.nodes[0], w.claims[0]))
		}
	case "one-node":
		return func(ctx context.Context, iteration int, a *answers) {
			allocator := w.allocator(w.state)
			a.add(w.nodes[0], allocate(ctx, allocator, w.nodes[0], claim(iteration)))
		}
	case "first-fit", "heap":
		return func(ctx context.Context, iteration int, a *answers) {
			w.firstFit(ctx, w.allocator(w.state), claim(iteration), a)
		}
	case "all-nodes":
		return func(ctx context.Context, iteration int, a *answers) {
			allocator := w.allocator(w.state)
			for _, node := range w.nodes {
				a.add(node, allocate(ctx, allocator, node, claim(iteration)))
			}
		}
	case "upkeep":
		allocation := w.firstFit(context.Background(), w.allocator(w.state), w.claims[0], nil)
		if allocation == nil {
			fail(errors.New("upkeep: the claim fits nowhere"))
		}
		return func(_ context.Context, iteration int, a *answers) {
			w.setInUse(allocation, iteration%2 == 0)
			w.allocator(w.clonedState())
		}
	case "cycle":
		const open = 100
		var allocations []*resourceapi.AllocationResult
		return func(ctx context.Context, iteration int, a *answers) {
			allocation := w.firstFit(ctx, w.allocator(w.clonedState()), claim(iteration), a)
			if allocation != nil {
				w.setInUse(allocation, true)
				allocations = append(allocations, allocation)
			}
			if len(allocations) > open || (allocation == nil && len(allocations) > 0) {
				w.setInUse(allocations[0], false)
				allocations = allocations[1:]
			}
		}
	}
	fail(fmt.Errorf("unknown operation %q", name))
	return nil
}

// heap is what is live, in bytes, with the allocator of one more claim that one node was asked for.
func (w *world) heap() float64 {
	allocator := w.allocator(w.clonedState())
	allocate(context.Background(), allocator, w.nodes[0], w.claims[0])
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	runtime.KeepAlive(allocator)
	return float64(stats.HeapAlloc)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (w *world) measure(c benchmarkCase, minTime, limit time.Duration) report {
	r := report{Name: c.Name, RunName: c.Name, RunType: "iteration", TimeUnit: "ns"}
	run := w.operation(c.Operation)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()

	// Warm, and the answers.
	var a answers
	start := time.Now()
	startCPU := cpuTime()
	run(ctx, 0, &a)
	took, tookCPU := time.Since(start), cpuTime()-startCPU
	r.Fits, r.Answer = float64(a.fits), a.number()
	if ctx.Err() != nil {
		// It does not end in time; what it took until then is a lower bound.
		r.Iterations, r.Limited = 1, 1
		r.RealTime, r.CPUTime = float64(took), float64(tookCPU)
		r.Fits, r.Answer = 0, 0
		return r
	}

	var before, after runtime.MemStats
	iterations := 1
	for first := 1; ; {
		runtime.ReadMemStats(&before)
		start, startCPU = time.Now(), cpuTime()
		for i := first; i < first+iterations; i++ {
			run(context.Background(), i, nil)
		}
		took, tookCPU = time.Since(start), cpuTime()-startCPU
		runtime.ReadMemStats(&after)
		first += iterations
		if took >= minTime || iterations >= 1e9 {
			break
		}
		// As google-benchmark: towards the time that is wanted, at most tenfold.
		factor := min(10, 1.4*float64(minTime)/float64(max(took, 1)))
		iterations = max(iterations+1, int(float64(iterations)*factor))
	}
	n := float64(iterations)
	r.Iterations = iterations
	r.RealTime, r.CPUTime = float64(took)/n, float64(tookCPU)/n
	r.Allocations = float64(after.Mallocs-before.Mallocs) / n
	r.AllocatedBytes = float64(after.TotalAlloc-before.TotalAlloc) / n
	if c.Operation == "heap" {
		r.HeapBytes = w.heap()
	}
	return r
}

// The generator writes these two first; other writers may not.
var head = regexp.MustCompile(`^\{"apiVersion": ?"[^"]*", ?"kind": ?"([^"]*)"`)

func kindOf(line []byte) string {
	if match := head.FindSubmatch(line[:min(len(line), 200)]); match != nil {
		return string(match[1])
	}
	return decode[metav1.TypeMeta](line).Kind
}

func decode[T any](line []byte) *T {
	value := new(T)
	if err := json.Unmarshal(line, value); err != nil {
		fail(fmt.Errorf("%w: %.200s", err, line))
	}
	return value
}

// setDefaults does what the API server's defaulting does to a claim.
func setDefaults(claim *resourceapi.ResourceClaim) {
	for i := range claim.Spec.Devices.Requests {
		request := &claim.Spec.Devices.Requests[i]
		if request.Exactly == nil {
			continue
		}
		if request.Exactly.AllocationMode == "" {
			request.Exactly.AllocationMode = resourceapi.DeviceAllocationModeExactCount
		}
		if request.Exactly.AllocationMode == resourceapi.DeviceAllocationModeExactCount &&
			request.Exactly.Count == 0 {
			request.Exactly.Count = 1
		}
	}
}

func (w *world) load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var in io.Reader = bufio.NewReaderSize(file, 1<<20)
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		switch kind := kindOf(line); kind {
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
				w.setInUse(claim.Status.Allocation, true)
			} else {
				w.claims = append(w.claims, claim)
			}
		default:
			return fmt.Errorf("%s: unknown kind %q", path, kind)
		}
	}
	return scanner.Err()
}

// readCases expands {nodes} for each size.
func readCases(path string) []benchmarkCase {
	text, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	var read, expanded []benchmarkCase
	if err := json.Unmarshal(text, &read); err != nil {
		fail(fmt.Errorf("%s: %w", path, err))
	}
	for _, c := range read {
		if len(c.Sizes) == 0 {
			expanded = append(expanded, c)
		}
		for _, size := range c.Sizes {
			e := c
			put := func(s string) string { return strings.ReplaceAll(s, "{nodes}", strconv.Itoa(size)) }
			e.Name, e.Claims, e.Inputs = put(c.Name), put(c.Claims), nil
			for _, input := range c.Inputs {
				e.Inputs = append(e.Inputs, put(input))
			}
			expanded = append(expanded, e)
		}
	}
	return expanded
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "upstream-allocator: %v\n", err)
	os.Exit(2)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == "k8s.io/dynamic-resource-allocation" {
				return dependency.Version
			}
		}
	}
	return "unknown"
}

func main() {
	casesFile := flag.String("cases", "bench/macro/allocator/cases.json", "the cases")
	inputs := flag.String("inputs", "", "folder of the inputs, as bench/fleet writes it")
	filter := flag.String("benchmark_filter", ".", "regular expression of the cases to run")
	minTime := flag.Float64("benchmark_min_time", 0.5, "seconds to measure each case for")
	limit := flag.Float64("limit", 60, "seconds after which an iteration is given up")
	list := flag.Bool("benchmark_list_tests", false, "print the cases' names")
	flag.String("benchmark_format", "json", "json is the only one")
	flag.Parse()

	wanted, err := regexp.Compile(*filter)
	if err != nil {
		fail(err)
	}
	hostName, _ := os.Hostname()
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	reports := []report{}
	w, loaded := newWorld(), []string{}
	for _, c := range readCases(*casesFile) {
		if !wanted.MatchString(c.Name) {
			continue
		}
		if *list {
			fmt.Println(c.Name)
			continue
		}
		// An operation may leave its marks: only a world that none has touched is used again.
		files := slices.Clone(c.Inputs)
		if c.Claims != "" {
			files = append(files, c.Claims)
		}
		if !slices.Equal(files, loaded) || c.Operation == "upkeep" || c.Operation == "cycle" {
			w, loaded = newWorld(), files
			runtime.GC()
			for _, name := range files {
				if err = w.load(filepath.Join(*inputs, name)); err != nil {
					break
				}
			}
		}
		if c.Operation == "upkeep" || c.Operation == "cycle" {
			loaded = nil
		}
		if err != nil {
			reports = append(reports, report{Name: c.Name, RunName: c.Name, RunType: "iteration",
				TimeUnit: "ns", ErrorOccurred: true, ErrorMessage: err.Error()})
			w, loaded, err = newWorld(), nil, nil
			continue
		}
		reports = append(reports, w.measure(c, seconds(*minTime), seconds(*limit)))
	}
	if *list {
		return
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(map[string]any{
		"context": map[string]any{
			"date": time.Now().Format(time.RFC3339), "host_name": hostName,
			"executable": os.Args[0], "num_cpus": runtime.NumCPU(),
			"library_version":      "k8s.io/dynamic-resource-allocation " + version(),
			"compiler":             runtime.Version(),
			"library_build_type":   "release",
			"gomaxprocs":           runtime.GOMAXPROCS(0),
			"upstream_feature_set": "1.36 defaults",
		},
		"benchmarks": reports,
	}); err != nil {
		fail(err)
	}
}
