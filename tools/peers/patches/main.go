// patches applies patches with Kubernetes' own code: what api/patch is compared with. A line of
// input is a JSON array of steps on one object, which begins with nothing but apiVersion and kind:
//
//	{"op":"apply","manager":M,"force":B,"doc":D}   server-side apply
//	{"op":"update","manager":M,"doc":D}            D, a merge patch, by a manager that does not apply
//	{"op":"merge","doc":[OBJECT,PATCH]}            JSON merge patch, of an object of its own
//	{"op":"json","doc":[OBJECT,PATCH]}             JSON patch
//	{"op":"strategic","doc":[OBJECT,PATCH]}        strategic merge patch
//
// A line of output is the array of what became of it: the object, or {"error":text}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

type step struct {
	Op      string          `json:"op"`
	Manager string          `json:"manager"`
	Force   bool            `json:"force"`
	Doc     json.RawMessage `json:"doc"`
}

func patched(op string, doc json.RawMessage) (json.RawMessage, error) {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(doc, &pair); err != nil {
		return nil, err
	}
	switch op {
	case "merge":
		return jsonpatch.MergePatch(pair[0], pair[1])
	case "json":
		patch, err := jsonpatch.DecodePatch(pair[1])
		if err != nil {
			return nil, err
		}
		return patch.Apply(pair[0])
	case "strategic":
		return strategicpatch.StrategicMergePatch(pair[0], pair[1], corev1.Pod{})
	}
	return nil, fmt.Errorf("unknown step %q", op)
}

func write(manager managedfieldstest.TestFieldManager, s step) (json.RawMessage, error) {
	object := &unstructured.Unstructured{}
	if s.Op == "apply" {
		if err := json.Unmarshal(s.Doc, &object.Object); err != nil {
			return nil, err
		}
		if err := manager.Apply(object, s.Manager, s.Force); err != nil {
			return nil, err
		}
	} else {
		live, err := json.Marshal(manager.Live())
		if err != nil {
			return nil, err
		}
		changed, err := jsonpatch.MergePatch(live, s.Doc)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(changed, &object.Object); err != nil {
			return nil, err
		}
		if err := manager.Update(object, s.Manager); err != nil {
			return nil, err
		}
	}
	return json.Marshal(manager.Live())
}

func main() {
	converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		var steps []step
		if err := json.Unmarshal(in.Bytes(), &steps); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		manager := managedfieldstest.NewTestFieldManager(converter, corev1.SchemeGroupVersion.WithKind("Pod"))
		results := make([]any, 0, len(steps))
		for _, s := range steps {
			var result json.RawMessage
			var err error
			if s.Op == "apply" || s.Op == "update" {
				result, err = write(manager, s)
			} else {
				result, err = patched(s.Op, s.Doc)
			}
			if err != nil {
				results = append(results, map[string]string{"error": err.Error()})
			} else {
				results = append(results, result)
			}
		}
		if err := encoder.Encode(results); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
