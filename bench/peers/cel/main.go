// Times Kubernetes' evaluator on the expressions that bench/micro/cel times in ours, on the same
// device. Flags and output are google-benchmark's, as far as bench/compare needs them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/utils/ptr"
)

func device() cel.Device {
	return cel.Device{
		Driver:                   "gpu.example.com",
		AllowMultipleAllocations: ptr.To(false),
		Attributes: map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{
			"model":                 {StringValue: ptr.To("H100-SXM5-80GB")},
			"index":                 {IntValue: ptr.To(int64(3))},
			"healthy":               {BoolValue: ptr.To(true)},
			"driverVersion":         {VersionValue: ptr.To("550.54.15")},
			"uuid":                  {StringValue: ptr.To("GPU-4cf8db2d-06c0-7d70-1a51-e59b25b2c16c")},
			"node.example.com/numa": {IntValue: ptr.To(int64(1))},
		},
		Capacity: map[resourceapi.QualifiedName]resourceapi.DeviceCapacity{
			"memory": {Value: resource.MustParse("80Gi")},
			"cores":  {Value: resource.MustParse("132")},
		},
	}
}

type entry struct {
	Name        string  `json:"name"`
	RunType     string  `json:"run_type"`
	Iterations  int     `json:"iterations"`
	RealTime    float64 `json:"real_time"`
	CPUTime     float64 `json:"cpu_time"`
	Unit        string  `json:"time_unit"`
	Allocations float64 `json:"allocations"`
}

// The processor time of this process, collecting garbage included.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// The mean time of a call, over at least minTime.
func measure(name string, minTime time.Duration, call func()) entry {
	call()
	n := 0
	cpu := cpuTime()
	start := time.Now()
	for time.Since(start) < minTime {
		for range 10 {
			call()
		}
		n += 10
	}
	real := float64(time.Since(start).Nanoseconds()) / float64(n)
	used := float64((cpuTime() - cpu).Nanoseconds()) / float64(n)
	return entry{name, "iteration", n, real, used, "ns", testing.AllocsPerRun(10, call)}
}

func fail(why ...any) {
	fmt.Fprintln(os.Stderr, why...)
	os.Exit(2)
}

func main() {
	filter := flag.String("benchmark_filter", ".", "regular expression of the cases to run")
	minTime := flag.Float64("benchmark_min_time", 0.1, "seconds to measure each case for")
	list := flag.Bool("benchmark_list_tests", false, "print the cases' names")
	flag.String("benchmark_format", "json", "json is the only one")
	path := flag.String("expressions", "bench/peers/cel/expressions.txt", "names and expressions")
	flag.Parse()
	wanted, err := regexp.Compile(*filter)
	if err != nil {
		fail(err)
	}
	file, err := os.Open(*path)
	if err != nil {
		fail(err)
	}
	compiler := cel.GetCompiler(cel.Features{EnableConsumableCapacity: true})
	d := device()
	entries := []entry{}
	add := func(name string, call func()) {
		if !wanted.MatchString(name) {
			return
		}
		if *list {
			fmt.Println(name)
			return
		}
		entries = append(entries, measure(name, time.Duration(*minTime*float64(time.Second)), call))
	}
	for in := bufio.NewScanner(file); in.Scan(); {
		name, expr, found := strings.Cut(in.Text(), " ")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		expr = strings.TrimSpace(expr)
		program := compiler.CompileCELExpression(expr, cel.Options{})
		if program.Error != nil {
			fail(program.Error)
		}
		add("BM_Compile/"+name, func() { compiler.CompileCELExpression(expr, cel.Options{}) })
		add("BM_Evaluate/"+name, func() {
			if match, _, err := program.DeviceMatches(context.Background(), d); err != nil || !match {
				fail(expr, match, err)
			}
		})
	}
	if *list {
		return
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.Encode(map[string]any{"context": map[string]any{}, "benchmarks": entries})
}
