// Asks Kubernetes' own validation and registry strategies for the answers that
// api/validation/testdata/rules.json expects, and prints every case where they differ.
//
//	go run . ../../../api/validation/testdata/rules.json   (validation_test.sh does it in CTest)
//
// `set` and `old` of a case are JSON pointers into the object of `bases`; see rules_test.cc.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	v1core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	podstrategy "k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/resource/deviceclass"
	"k8s.io/kubernetes/pkg/registry/resource/devicetaintrule"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaim"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaimtemplate"
	"k8s.io/kubernetes/pkg/registry/resource/resourcepoolstatusrequest"
	"k8s.io/kubernetes/pkg/registry/resource/resourceslice"
)

type Case struct {
	Rule      string                 `json:"rule"`
	On        string                 `json:"on"`
	Set       map[string]interface{} `json:"set,omitempty"`
	Old       map[string]interface{} `json:"old,omitempty"`
	Gates     string                 `json:"gates,omitempty"`
	Note      string                 `json:"note,omitempty"`
	Errors    []string               `json:"errors"`
	Results   map[string]interface{} `json:"results,omitempty"`
	Namespace json.RawMessage        `json:"namespace,omitempty"`
	Deny      []string               `json:"deny,omitempty"`
	User      map[string]string      `json:"user,omitempty"`
	Warnings  []string               `json:"warnings,omitempty"`
}

type Out struct {
	Errors   []string               `json:"errors"`
	Results  map[string]interface{} `json:"results,omitempty"`
	Warnings []string               `json:"warnings,omitempty"`
	Panic    string                 `json:"panic,omitempty"`
}

func expand(v interface{}) interface{} {
	switch t := v.(type) {
	case map[string]interface{}:
		if n, ok := t["$repeat"]; ok {
			out := []interface{}{}
			for i := 0; i < int(n.(float64)); i++ {
				out = append(out, subst(expand(t["item"]), i))
			}
			return out
		}
		if n, ok := t["$repeatmap"]; ok {
			out := map[string]interface{}{}
			for i := 0; i < int(n.(float64)); i++ {
				out[strings.ReplaceAll(t["key"].(string), "%d", fmt.Sprint(i))] = subst(expand(t["item"]), i)
			}
			return out
		}
		if n, ok := t["$string"]; ok {
			l := n.([]interface{})
			return strings.Repeat(l[0].(string), int(l[1].(float64)))
		}
		out := map[string]interface{}{}
		for k, e := range t {
			out[k] = expand(e)
		}
		return out
	case []interface{}:
		out := []interface{}{}
		for _, e := range t {
			out = append(out, expand(e))
		}
		return out
	}
	return v
}
func subst(v interface{}, i int) interface{} {
	switch t := v.(type) {
	case string:
		return strings.ReplaceAll(t, "%d", fmt.Sprint(i))
	case map[string]interface{}:
		out := map[string]interface{}{}
		for k, e := range t {
			out[k] = subst(e, i)
		}
		return out
	case []interface{}:
		out := []interface{}{}
		for _, e := range t {
			out = append(out, subst(e, i))
		}
		return out
	}
	return v
}
func clone(v interface{}) interface{} {
	b, _ := json.Marshal(v)
	var o interface{}
	json.Unmarshal(b, &o)
	return o
}
func set(doc interface{}, path string, v interface{}) {
	parts := strings.Split(path, "/")[1:]
	remove := false
	if m, ok := v.(map[string]interface{}); ok {
		_, remove = m["$remove"]
	}
	cur := doc
	for i, p := range parts {
		last := i == len(parts)-1
		switch t := cur.(type) {
		case map[string]interface{}:
			if last {
				if remove {
					delete(t, p)
				} else {
					t[p] = expand(v)
				}
				return
			}
			if _, ok := t[p]; !ok {
				t[p] = map[string]interface{}{}
			}
			cur = t[p]
		case []interface{}:
			var n int
			fmt.Sscan(p, &n)
			if last {
				t[n] = expand(v)
				return
			}
			cur = t[n]
		}
	}
}
func keys(m map[string]interface{}) []string {
	k := []string{}
	for x := range m {
		k = append(k, x)
	}
	sort.Strings(k)
	return k
}

type authz struct{ deny map[string]bool }

func (a authz) Authorize(ctx context.Context, at authorizer.Attributes) (authorizer.Decision, string, error) {
	k := at.GetVerb() + " " + at.GetResource() + "/" + at.GetSubresource()
	if at.GetName() != "" {
		k += " " + at.GetName()
	}
	if a.deny[k] {
		return authorizer.DecisionNoOpinion, "", nil
	}
	return authorizer.DecisionAllow, "", nil
}

type recorder struct{ w []string }

func (r *recorder) AddWarning(agent, text string) { r.w = append(r.w, text) }

func decode(doc interface{}) runtime.Object {
	b, _ := json.Marshal(doc)
	obj, _, err := legacyscheme.Codecs.UniversalDecoder(schema.GroupVersion{Group: "resource.k8s.io", Version: runtime.APIVersionInternal}, schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: runtime.APIVersionInternal}, schema.GroupVersion{Version: runtime.APIVersionInternal}).Decode(b, nil, nil)
	if err != nil {
		panic(fmt.Sprintf("decode: %v: %s", err, b))
	}
	return obj
}

func run(bases map[string]interface{}, c Case) (out Out) {
	defer func() {
		if r := recover(); r != nil {
			out.Panic = fmt.Sprint(r)
		}
	}()
	gates := map[string]bool{}
	for _, g := range strings.Split(c.Gates, ",") {
		if g != "" {
			kv := strings.Split(g, "=")
			gates[kv[0]] = kv[1] == "true"
		}
	}
	orig := map[string]bool{}
	for g := range gates {
		for n, s := range utilfeature.DefaultMutableFeatureGate.GetAll() {
			if string(n) == g {
				orig[g] = s.Default
			}
		}
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(gates); err != nil {
		panic(err)
	}
	defer utilfeature.DefaultMutableFeatureGate.SetFromMap(orig)
	words := strings.Split(c.On, " ")
	op, kind := words[0], words[1]
	doc := clone(bases[kind])
	set(doc, "/metadata/uid", "u-1")
	set(doc, "/metadata/creationTimestamp", "2020-01-01T00:00:00Z")
	if op != "create" {
		set(doc, "/metadata/resourceVersion", "1")
		if kind == "pod" {
			set(doc, "/status/qosClass", "BestEffort")
		}
	}
	for _, k := range keys(c.Old) {
		set(doc, k, c.Old[k])
	}
	oldDoc := clone(doc)
	for _, k := range keys(c.Set) {
		set(doc, k, c.Set[k])
	}
	clientset := fake.NewSimpleClientset()
	if string(c.Namespace) != "null" {
		labels := map[string]string{"resource.kubernetes.io/admin-access": "true"}
		if len(c.Namespace) > 0 {
			labels = nil
			json.Unmarshal(c.Namespace, &labels)
		}
		clientset.CoreV1().Namespaces().Create(context.Background(), &v1core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: labels}}, metav1.CreateOptions{})
	}
	a := authz{map[string]bool{}}
	for _, d := range c.Deny {
		a.deny[d] = true
	}
	ns := clientset.CoreV1().Namespaces()
	var strategy, status interface{}
	var gr schema.GroupResource
	namespaced := false
	switch kind {
	case "claim":
		s := resourceclaim.NewStrategy(ns, a)
		strategy, status = s, resourceclaim.NewStatusStrategy(s)
		gr = schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceclaims"}
		namespaced = true
	case "template":
		strategy = resourceclaimtemplate.NewStrategy(ns)
		namespaced = true
	case "class":
		strategy = deviceclass.Strategy
	case "slice":
		strategy = resourceslice.Strategy
	case "taintrule":
		strategy, status = devicetaintrule.Strategy, devicetaintrule.StatusStrategy
	case "poolrequest":
		strategy, status = resourcepoolstatusrequest.Strategy, resourcepoolstatusrequest.StatusStrategy
	case "role":
		strategy = role.Strategy
		namespaced = true
	case "clusterrole":
		strategy = clusterrole.Strategy
	case "rolebinding":
		strategy = rolebinding.Strategy
		namespaced = true
	case "clusterrolebinding":
		strategy = clusterrolebinding.Strategy
	case "pod":
		strategy, status = podstrategy.Strategy, podstrategy.StatusStrategy
		namespaced = true
	}
	obj := decode(doc)
	ctx := context.Background()
	nsname := ""
	if namespaced {
		nsname = "default"
	}
	apiVersion := bases[kind].(map[string]interface{})["apiVersion"].(string)
	group, version := "", apiVersion
	if i := strings.Index(apiVersion, "/"); i >= 0 {
		group, version = apiVersion[:i], apiVersion[i+1:]
	}
	m := obj.(metav1.Object)
	// Namespaces are judged, not matched with the request's.
	ctx = genericrequest.WithNamespace(ctx, m.GetNamespace())
	ctx = genericrequest.WithRequestInfo(ctx, &genericrequest.RequestInfo{IsResourceRequest: true, Verb: "update", APIGroup: group, APIVersion: version, Resource: gr.Resource, Namespace: nsname, Name: "a", Subresource: map[string]string{"status": "status"}[op]})
	u := &user.DefaultInfo{Name: "admin"}
	if c.User != nil {
		u = &user.DefaultInfo{Name: c.User["name"], Extra: map[string][]string{"authentication.kubernetes.io/node-name": {c.User["node"]}}}
	}
	ctx = genericrequest.WithUser(ctx, u)
	rec := &recorder{}
	ctx = warning.WithWarningRecorder(ctx, rec)
	var err error
	switch op {
	case "create":
		err = rest.BeforeCreate(strategy.(rest.RESTCreateStrategy), ctx, obj)
	case "update":
		err = rest.BeforeUpdate(strategy.(rest.RESTUpdateStrategy), ctx, obj, decode(oldDoc))
	case "status":
		err = rest.BeforeUpdate(status.(rest.RESTUpdateStrategy), ctx, obj, decode(oldDoc))
	}
	out.Errors = []string{}
	if err != nil {
		se, ok := err.(*apierrors.StatusError)
		if !ok || se.ErrStatus.Details == nil || se.ErrStatus.Reason != metav1.StatusReasonInvalid {
			out.Errors = append(out.Errors, "!"+err.Error())
		} else {
			for _, cause := range se.ErrStatus.Details.Causes {
				out.Errors = append(out.Errors, cause.Field+": "+cause.Message)
			}
		}
	}
	out.Warnings = rec.w
	if len(c.Results) > 0 {
		codec := legacyscheme.Codecs.LegacyCodec(schema.GroupVersion{Group: group, Version: version})
		b, err := runtime.Encode(codec, obj)
		if err != nil {
			panic(err)
		}
		var o interface{}
		json.Unmarshal(b, &o)
		out.Results = map[string]interface{}{}
		for p := range c.Results {
			cur := o
			for _, part := range strings.Split(p, "/")[1:] {
				switch t := cur.(type) {
				case map[string]interface{}:
					cur = t[part]
				case []interface{}:
					var n int
					fmt.Sscan(part, &n)
					cur = t[n]
				default:
					cur = nil
				}
			}
			out.Results[p] = cur
		}
	}
	return
}

// withTokens writes "<now>" for times that are neither 2020's nor 2021's, which no case has.
func withTokens(v interface{}) interface{} {
	switch t := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339, t); err == nil && at.Year() > 2021 {
			return "<now>"
		}
	case map[string]interface{}:
		for k := range t {
			t[k] = withTokens(t[k])
		}
	case []interface{}:
		for i := range t {
			t[i] = withTokens(t[i])
		}
	}
	return v
}

func main() {
	var in struct {
		Texts map[string]string      `json:"texts"`
		Bases map[string]interface{} `json:"bases"`
		Cases []Case                 `json:"cases"`
	}
	b, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(b, &in); err != nil {
		panic(err)
	}
	different := 0
	for i, c := range in.Cases {
		out := run(in.Bases, c)
		for j, e := range c.Errors {
			for token, text := range in.Texts {
				e = strings.ReplaceAll(e, token, text)
			}
			c.Errors[j] = e
		}
		sort.Strings(c.Errors)
		sort.Strings(out.Errors)
		results := withTokens(out.Results)
		same := out.Panic == "" && reflect.DeepEqual(c.Errors, out.Errors) &&
			(c.Warnings == nil || len(c.Warnings)+len(out.Warnings) == 0 || reflect.DeepEqual(c.Warnings, out.Warnings)) &&
			(c.Results == nil || reflect.DeepEqual(interface{}(c.Results), results))
		if !same {
			different++
			fmt.Printf("case %d, %s, %s:\n  expected %q %v %v\n  upstream %q %v %v %s\n", i, c.Rule, c.On,
				c.Errors, c.Warnings, c.Results, out.Errors, out.Warnings, results, out.Panic)
		}
	}
	fmt.Printf("%d cases, %d of them different\n", len(in.Cases), different)
	if different > 0 {
		os.Exit(1)
	}
}
