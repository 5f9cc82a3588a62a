// Drives Assay's API server with the official Go client, as drivers and controllers do: typed
// clients that send protobuf, informers that stream their lists, apply, paging, conflicts, watches
// that break and versions that are compacted away. All of it twice: with clients that accept
// nothing but protobuf, and with such that accept nothing but JSON.
//
// usage: clientgo SERVER
//
// SERVER is apiserver_for_tests, which it starts and ends. Exit code 0 if everything held; else the
// first thing that did not is on stderr.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	resourceac "k8s.io/client-go/applyconfigurations/resource/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
	"k8s.io/kube-openapi/pkg/util/proto"
)

const (
	protobuf  = "application/vnd.kubernetes.protobuf"
	patience  = 20 * time.Second
	driver    = "gpu.example.com"
	namespace = "default"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: clientgo SERVER")
		os.Exit(2)
	}
	for _, accept := range []string{protobuf, "application/json"} {
		fmt.Println("accepting", accept)
		if err := run(os.Args[1], accept); err != nil {
			fmt.Fprintln(os.Stderr, "clientgo:", err)
			os.Exit(1)
		}
	}
	fmt.Println("everything held")
}

// server is a running apiserver_for_tests.
type server struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
	config  *rest.Config
}

func start(program, directory string) (*server, error) {
	s := &server{command: exec.Command(program, directory)}
	s.command.Stderr = os.Stderr
	var err error
	if s.input, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.output = bufio.NewReader(output)
	if err = s.command.Start(); err != nil {
		return nil, err
	}
	line, err := s.output.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		return nil, fmt.Errorf("the server said %q: %w", line, err)
	}
	s.config, err = clientcmd.BuildConfigFromFlags("", filepath.Join(directory, "kubeconfig"))
	if err == nil {
		s.config.QPS = -1 // The server is ours alone.
	}
	return s, err
}

func (s *server) tell(line string) error {
	if _, err := fmt.Fprintln(s.input, line); err != nil {
		return err
	}
	answer, err := s.output.ReadString('\n')
	if err == nil && strings.TrimSpace(answer) != "ok" {
		err = fmt.Errorf("%q was answered with %q", line, answer)
	}
	return err
}

// step is one thing that must hold.
type step struct {
	name string
	do   func(context.Context, *world) error
}

type world struct {
	server  *server
	client  kubernetes.Interface
	accept  string
	answers *answers
	slices  cache.SharedIndexInformer
	claims  cache.SharedIndexInformer
}

// answers counts the answers for resources by their content type.
type answers struct {
	next  http.RoundTripper
	mu    sync.Mutex
	types map[string]int
}

func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.next.RoundTrip(request)
	if err == nil && strings.Count(request.URL.Path, "/") > 3 && !strings.HasPrefix(request.URL.Path, "/openapi") {
		kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
		a.mu.Lock()
		a.types[kind]++
		a.mu.Unlock()
	}
	return response, err
}

func run(program, accept string) error {
	directory, err := os.MkdirTemp("", "clientgo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	s, err := start(program, directory)
	if err != nil {
		return err
	}
	defer func() {
		s.input.Close()
		s.command.Wait()
	}()
	typed := rest.CopyConfig(s.config)
	typed.ContentType = protobuf
	typed.AcceptContentTypes = accept
	seen := &answers{types: map[string]int{}}
	typed.Wrap(func(next http.RoundTripper) http.RoundTripper {
		seen.next = next
		return seen
	})
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	factory := informers.NewSharedInformerFactory(client, 0)
	w := &world{server: s, client: client, accept: accept, answers: seen,
		slices: factory.Resource().V1().ResourceSlices().Informer(),
		claims: factory.Resource().V1().ResourceClaims().Informer()}
	factory.Start(ctx.Done())

	for _, step := range []step{
		{"discovery", discovery},
		{"informers sync", informersSync},
		{"typed writes reach the informers", typedWrites},
		{"conflicts", conflicts},
		{"apply", apply},
		{"status and its conditions", status},
		{"names are generated", generatedNames},
		{"pages are consistent", pages},
		{"a broken watch resumes", brokenWatch},
		{"an expired watch lists again", expiredWatch},
		{"errors are retried", retries},
		{"owners take their dependents along", ownership},
		{"a collection is deleted", deleteCollection},
		{"dynamic and metadata clients", otherClients},
		{"events of both groups are one", eventGroups},
		{"CBOR is refused", cborRefused},
		{"JSON and protobuf say the same", sameInBoth},
		{"a namespace is emptied", namespaceEmptied},
		{"answers are what was accepted", accepted},
	} {
		stepCtx, done := context.WithTimeout(ctx, 2*patience)
		err := step.do(stepCtx, w)
		done()
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Println("ok:", step.name)
	}
	return nil
}

func eventually(ctx context.Context, what string, done func() bool) error {
	err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, patience, true,
		func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func slice(name string) *resourceapi.ResourceSlice {
	node := "node-1"
	model := "H100"
	return &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"set": "a"}},
		Spec: resourceapi.ResourceSliceSpec{
			Driver:   driver,
			NodeName: &node,
			Pool:     resourceapi.ResourcePool{Name: node, Generation: 1, ResourceSliceCount: 1},
			Devices: []resourceapi.Device{{
				Name:       "gpu-0",
				Attributes: map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{"model": {StringValue: &model}},
				Capacity:   map[resourceapi.QualifiedName]resourceapi.DeviceCapacity{"memory": {Value: resource.MustParse("80Gi")}},
			}},
		},
	}
}

func claim(name string) *resourceapi.ResourceClaim {
	return &resourceapi.ResourceClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: resourceapi.ResourceClaimSpec{Devices: resourceapi.DeviceClaim{
			Requests: []resourceapi.DeviceRequest{{
				Name: "gpu", Exactly: &resourceapi.ExactDeviceRequest{DeviceClassName: "gpu"}}},
		}},
	}
}

func discovery(ctx context.Context, w *world) error {
	groups, resources, err := w.client.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(groups, func(g *metav1.APIGroup) bool { return g.Name == "resource.k8s.io" }) {
		return errors.New("no group resource.k8s.io")
	}
	found := false
	for _, list := range resources {
		for _, r := range list.APIResources {
			found = found || (list.GroupVersion == "resource.k8s.io/v1" && r.Name == "resourceclaims" &&
				r.Namespaced && slices.Contains(r.Verbs, "watch"))
		}
	}
	if !found {
		return errors.New("no resourceclaims in resource.k8s.io/v1")
	}
	version, err := w.client.Discovery().ServerVersion()
	if err != nil || version.Major != "1" {
		return fmt.Errorf("version %v: %w", version, err)
	}
	root := openapi3.NewRoot(w.client.Discovery().OpenAPIV3())
	spec, err := root.GVSpec(schema.GroupVersion{Group: "resource.k8s.io", Version: "v1"})
	if err != nil {
		return err
	}
	if _, ok := spec.Components.Schemas["io.k8s.api.resource.v1.ResourceSlice"]; !ok {
		return errors.New("OpenAPI has no ResourceSlice")
	}
	return swagger(w)
}

// swagger reads OpenAPI v2 as kubectl does.
func swagger(w *world) error {
	document, err := w.client.Discovery().OpenAPISchema()
	if err != nil {
		return err
	}
	models, err := proto.NewOpenAPIData(document)
	if err != nil {
		return err
	}
	pod, ok := models.LookupModel("io.k8s.api.core.v1.PodSpec").(*proto.Kind)
	if !ok {
		return errors.New("Swagger has no PodSpec")
	}
	containers, ok := pod.Fields["containers"].(*proto.Array)
	if !ok || containers.GetExtensions()["x-kubernetes-patch-merge-key"] != "name" {
		return fmt.Errorf("Swagger's containers: %v", pod.Fields["containers"])
	}
	for _, path := range document.GetPaths().GetPath() {
		if path.GetName() == "/api/v1/namespaces/{namespace}/pods/{name}" {
			patch := path.GetValue().GetPatch()
			for _, parameter := range patch.GetParameters() {
				query := parameter.GetParameter().GetNonBodyParameter().GetQueryParameterSubSchema()
				if query.GetName() == "dryRun" {
					return nil
				}
			}
		}
	}
	return errors.New("Swagger has no dryRun for pods")
}

func informersSync(ctx context.Context, w *world) error {
	if !cache.WaitForCacheSync(ctx.Done(), w.slices.HasSynced, w.claims.HasSynced) {
		return errors.New("the informers did not sync")
	}
	return nil
}

func (w *world) cached(name string) *resourceapi.ResourceSlice {
	object, exists, _ := w.slices.GetStore().GetByKey(name)
	if !exists {
		return nil
	}
	return object.(*resourceapi.ResourceSlice)
}

func typedWrites(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceSlices()
	created, err := api.Create(ctx, slice("typed"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	device := created.Spec.Devices[0]
	memory := device.Capacity["memory"]
	if *device.Attributes["model"].StringValue != "H100" || memory.Value.String() != "80Gi" {
		return fmt.Errorf("came back as %+v", device)
	}
	if created.Generation != 1 || created.UID == "" || len(created.ManagedFields) != 1 {
		return fmt.Errorf("metadata %+v", created.ObjectMeta)
	}
	if err := eventually(ctx, "the slice in the cache", func() bool { return w.cached("typed") != nil }); err != nil {
		return err
	}
	created.Spec.Devices[0].Name = "gpu-1"
	updated, err := api.Update(ctx, created, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if updated.Generation != 2 {
		return fmt.Errorf("generation %d after a change of spec", updated.Generation)
	}
	patched, err := api.Patch(ctx, "typed", types.StrategicMergePatchType,
		[]byte(`{"metadata":{"labels":{"patched":"yes"}}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	if patched.Labels["set"] != "a" || patched.Labels["patched"] != "yes" {
		return fmt.Errorf("labels %v", patched.Labels)
	}
	err = eventually(ctx, "the patch in the cache", func() bool {
		cached := w.cached("typed")
		return cached.Labels["patched"] == "yes" && cached.Spec.Devices[0].Name == "gpu-1"
	})
	if err != nil {
		return err
	}
	if err := api.Delete(ctx, "typed", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if _, err := api.Get(ctx, "typed", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("after deletion: %v", err)
	}
	return eventually(ctx, "the deletion in the cache", func() bool { return w.cached("typed") == nil })
}

func conflicts(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceSlices()
	created, err := api.Create(ctx, slice("conflict"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if _, err := api.Create(ctx, slice("conflict"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("created twice: %v", err)
	}
	stale := created.DeepCopy()
	created.Labels["a"] = "1"
	if _, err := api.Update(ctx, created, metav1.UpdateOptions{}); err != nil {
		return err
	}
	stale.Labels["a"] = "2"
	if _, err := api.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("a stale update: %v", err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current, err := api.Get(ctx, "conflict", metav1.GetOptions{})
		if err != nil {
			return err
		}
		current.Labels["a"] = "3"
		_, err = api.Update(ctx, current, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	wrong := types.UID("another")
	err = api.Delete(ctx, "conflict", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("deleted under another UID: %v", err)
	}
	invalid := slice("invalid")
	invalid.Spec.Driver = ""
	_, err = api.Create(ctx, invalid, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.driver: Required value") {
		return fmt.Errorf("an invalid slice: %v", err)
	}
	return api.Delete(ctx, "conflict", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &created.UID}})
}

func apply(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().DeviceClasses()
	configuration := resourceac.DeviceClass("applied").WithLabels(map[string]string{"owner": "a"})
	applied, err := api.Apply(ctx, configuration, metav1.ApplyOptions{FieldManager: "a"})
	if err != nil {
		return err
	}
	if applied.Labels["owner"] != "a" || applied.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		return fmt.Errorf("applied %+v", applied.ObjectMeta)
	}
	again, err := api.Apply(ctx, configuration, metav1.ApplyOptions{FieldManager: "a"})
	if err != nil {
		return err
	}
	if again.ResourceVersion != applied.ResourceVersion {
		return errors.New("an apply without effect wrote something")
	}
	other := resourceac.DeviceClass("applied").WithLabels(map[string]string{"owner": "b"})
	if _, err = api.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "b"}); !apierrors.IsConflict(err) {
		return fmt.Errorf("two owners of one field: %v", err)
	}
	forced, err := api.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "b", Force: true})
	if err != nil || forced.Labels["owner"] != "b" {
		return fmt.Errorf("forced to %v: %w", forced, err)
	}
	return api.Delete(ctx, "applied", metav1.DeleteOptions{})
}

func status(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceClaims(namespace)
	created, err := api.Create(ctx, claim("status"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if created.Spec.Devices.Requests[0].Exactly.Count != 1 {
		return errors.New("no default count")
	}
	created.Status.Allocation = &resourceapi.AllocationResult{Devices: resourceapi.DeviceAllocationResult{
		Results: []resourceapi.DeviceRequestAllocationResult{{
			Request: "gpu", Driver: driver, Pool: "node-1", Device: "gpu-0"}}}}
	created.Labels = map[string]string{"ignored": "by status"}
	updated, err := api.UpdateStatus(ctx, created, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if updated.Status.Allocation == nil || len(updated.Labels) != 0 {
		return fmt.Errorf("after an update of status: %+v", updated)
	}
	devices := resourceac.ResourceClaim("status", namespace).WithStatus(resourceac.ResourceClaimStatus().
		WithDevices(resourceac.AllocatedDeviceStatus().WithDriver(driver).WithPool("node-1").WithDevice("gpu-0")))
	applied, err := api.ApplyStatus(ctx, devices, metav1.ApplyOptions{FieldManager: driver, Force: true})
	if err != nil {
		return err
	}
	if len(applied.Status.Devices) != 1 || applied.Status.Allocation == nil {
		return fmt.Errorf("after an apply of status: %+v", applied.Status)
	}
	return api.Delete(ctx, "status", metav1.DeleteOptions{})
}

func generatedNames(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceClaims(namespace)
	seen := map[string]bool{}
	for range 20 {
		object := claim("")
		object.GenerateName = "generated-"
		object.Labels = map[string]string{"generated": "yes"}
		created, err := api.Create(ctx, object, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if len(created.Name) != len("generated-")+5 || seen[created.Name] {
			return fmt.Errorf("generated the name %q", created.Name)
		}
		seen[created.Name] = true
	}
	list, err := api.List(ctx, metav1.ListOptions{LabelSelector: "generated=yes"})
	if err != nil || len(list.Items) != 20 {
		return fmt.Errorf("selected %d of 20: %w", len(list.Items), err)
	}
	return nil
}

func pages(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceClaims(namespace)
	first, err := api.List(ctx, metav1.ListOptions{LabelSelector: "generated", Limit: 6})
	if err != nil {
		return err
	}
	if len(first.Items) != 6 || first.Continue == "" {
		return fmt.Errorf("the first page has %d", len(first.Items))
	}
	// What comes and goes in between is not seen.
	late := claim("generated-zzzz")
	late.Labels = map[string]string{"generated": "late"}
	if _, err := api.Create(ctx, late, metav1.CreateOptions{}); err != nil {
		return err
	}
	rest, err := api.List(ctx, metav1.ListOptions{LabelSelector: "generated", Continue: first.Continue})
	if err != nil {
		return err
	}
	if len(rest.Items) != 14 || rest.ResourceVersion != first.ResourceVersion {
		return fmt.Errorf("the rest has %d at %s, not at %s", len(rest.Items), rest.ResourceVersion, first.ResourceVersion)
	}
	if err := w.server.tell("compact"); err != nil {
		return err
	}
	_, err = api.List(ctx, metav1.ListOptions{LabelSelector: "generated", Continue: first.Continue})
	if !apierrors.IsResourceExpired(err) {
		return fmt.Errorf("a page of a version that is gone: %v", err)
	}
	count := 0
	err = pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		return api.List(ctx, options)
	})).EachListItem(ctx, metav1.ListOptions{Limit: 4, LabelSelector: "generated"}, func(runtime.Object) error {
		count++
		return nil
	})
	if err != nil || count != 21 {
		return fmt.Errorf("paged through %d of 21: %w", count, err)
	}
	return nil
}

func brokenWatch(ctx context.Context, w *world) error {
	return seenAfter(ctx, w, "broken", "drop resourceslices")
}

func expiredWatch(ctx context.Context, w *world) error {
	if err := w.server.tell("compact"); err != nil {
		return err
	}
	return seenAfter(ctx, w, "expired", "expire resourceslices")
}

// seenAfter creates slices around `command`; the informer must see all of them.
func seenAfter(ctx context.Context, w *world, name, command string) error {
	api := w.client.ResourceV1().ResourceSlices()
	for i := range 3 {
		if i == 1 {
			if err := w.server.tell(command); err != nil {
				return err
			}
		}
		if _, err := api.Create(ctx, slice(fmt.Sprintf("%s-%d", name, i)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return eventually(ctx, "all slices in the cache", func() bool {
		return w.cached(name+"-0") != nil && w.cached(name+"-1") != nil && w.cached(name+"-2") != nil
	})
}

func retries(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceSlices()
	// client-go itself waits for Retry-After.
	if err := w.server.tell("fault resourceslices get 429 1"); err != nil {
		return err
	}
	if _, err := api.Get(ctx, "broken-0", metav1.GetOptions{}); err != nil {
		return err
	}
	if err := w.server.tell("fault resourceslices get 500 1"); err != nil {
		return err
	}
	if _, err := api.Get(ctx, "broken-0", metav1.GetOptions{}); !apierrors.IsInternalError(err) {
		return fmt.Errorf("an injected 500: %v", err)
	}
	_, err := api.Get(ctx, "broken-0", metav1.GetOptions{})
	return err
}

func ownership(ctx context.Context, w *world) error {
	maps := w.client.CoreV1().ConfigMaps(namespace)
	yes := true
	family := func(owner string) (*corev1.ConfigMap, error) {
		parent, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: owner}}, metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		child := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: owner + "-child",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner,
				UID: parent.UID, BlockOwnerDeletion: &yes}}}}
		_, err = maps.Create(ctx, child, metav1.CreateOptions{})
		return parent, err
	}
	gone := func(name string) func() bool {
		return func() bool {
			_, err := maps.Get(ctx, name, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}
	}
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground} {
		name := strings.ToLower(string(policy))
		if _, err := family(name); err != nil {
			return err
		}
		if err := maps.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			return err
		}
		for _, member := range []string{name, name + "-child"} {
			if err := eventually(ctx, member+" gone", gone(member)); err != nil {
				return err
			}
		}
	}
	if _, err := family("orphaned"); err != nil {
		return err
	}
	orphan := metav1.DeletePropagationOrphan
	if err := maps.Delete(ctx, "orphaned", metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		return err
	}
	if err := eventually(ctx, "the owner gone", gone("orphaned")); err != nil {
		return err
	}
	child, err := maps.Get(ctx, "orphaned-child", metav1.GetOptions{})
	if err != nil || len(child.OwnerReferences) != 0 {
		return fmt.Errorf("the orphan %v: %w", child, err)
	}
	return nil
}

func deleteCollection(ctx context.Context, w *world) error {
	api := w.client.ResourceV1().ResourceSlices()
	selected := metav1.ListOptions{FieldSelector: "spec.driver=" + driver + ",spec.nodeName=node-1"}
	before, err := api.List(ctx, selected)
	if err != nil || len(before.Items) != 6 {
		return fmt.Errorf("selected %d slices of 6: %w", len(before.Items), err)
	}
	if err := api.DeleteCollection(ctx, metav1.DeleteOptions{}, selected); err != nil {
		return err
	}
	if _, err = api.List(ctx, metav1.ListOptions{FieldSelector: "spec.foo=a"}); !apierrors.IsBadRequest(err) {
		return fmt.Errorf("a field that cannot be selected by: %v", err)
	}
	return eventually(ctx, "an empty cache", func() bool { return len(w.slices.GetStore().ListKeys()) == 0 })
}

func otherClients(ctx context.Context, w *world) error {
	claims := schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1beta1", Resource: "resourceclaims"}
	dynamicClient, err := dynamic.NewForConfig(w.server.config)
	if err != nil {
		return err
	}
	list, err := dynamicClient.Resource(claims).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 21 || list.Items[0].GetAPIVersion() != "resource.k8s.io/v1beta1" {
		return fmt.Errorf("the dynamic client listed %d: %w", len(list.Items), err)
	}
	metadataClient, err := metadata.NewForConfig(w.server.config)
	if err != nil {
		return err
	}
	partial, err := metadataClient.Resource(claims).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(partial.Items) != 21 || partial.Items[0].Labels["generated"] == "" {
		return fmt.Errorf("the metadata client listed %d: %w", len(partial.Items), err)
	}
	return nil
}

func eventGroups(ctx context.Context, w *world) error {
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Name: "event", Namespace: namespace},
		EventTime:           metav1.NowMicro(),
		ReportingController: "assay.dev/test", ReportingInstance: "test-1",
		Action: "Testing", Reason: "Tested", Type: "Normal", Note: "a note",
		Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: "a"},
	}
	if _, err := w.client.EventsV1().Events(namespace).Create(ctx, event, metav1.CreateOptions{}); err != nil {
		return err
	}
	core, err := w.client.CoreV1().Events(namespace).Get(ctx, "event", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if core.Message != "a note" || core.InvolvedObject.Name != "a" || core.ReportingController != "assay.dev/test" {
		return fmt.Errorf("as a core event: %+v", core)
	}
	selected, err := w.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=a,reason=Tested"})
	if err != nil || len(selected.Items) != 1 {
		return fmt.Errorf("selected %d events: %w", len(selected.Items), err)
	}
	patched, err := w.client.EventsV1().Events(namespace).Patch(ctx, "event", types.StrategicMergePatchType,
		[]byte(`{"note":"another note"}`), metav1.PatchOptions{})
	if err != nil || patched.Note != "another note" {
		return fmt.Errorf("patched %+v: %w", patched, err)
	}
	return nil
}

func cborRefused(ctx context.Context, w *world) error {
	result := w.client.CoreV1().RESTClient().Post().Namespace(namespace).Resource("configmaps").
		SetHeader("Content-Type", "application/cbor").Body([]byte{0xd9, 0xd9, 0xf7, 0xa0}).Do(ctx)
	var code int
	if result.StatusCode(&code); code != http.StatusUnsupportedMediaType {
		return fmt.Errorf("answered %d: %v", code, result.Error())
	}
	return nil
}

// sameInBoth reads every kind of object that is there as JSON and as protobuf.
func sameInBoth(ctx context.Context, w *world) error {
	var clients []kubernetes.Interface
	for _, accept := range []string{protobuf, "application/json"} {
		config := rest.CopyConfig(w.server.config)
		config.AcceptContentTypes = accept
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	all := metav1.ListOptions{}
	for name, list := range map[string]func(kubernetes.Interface) (runtime.Object, error){
		"slices": func(c kubernetes.Interface) (runtime.Object, error) {
			return c.ResourceV1().ResourceSlices().List(ctx, all)
		},
		"v1beta1": func(c kubernetes.Interface) (runtime.Object, error) {
			return c.ResourceV1beta1().ResourceSlices().List(ctx, all)
		},
		"claims": func(c kubernetes.Interface) (runtime.Object, error) {
			return c.ResourceV1().ResourceClaims("").List(ctx, all)
		},
		"namespaces": func(c kubernetes.Interface) (runtime.Object, error) { return c.CoreV1().Namespaces().List(ctx, all) },
		"configmaps": func(c kubernetes.Interface) (runtime.Object, error) { return c.CoreV1().ConfigMaps("").List(ctx, all) },
		"events":     func(c kubernetes.Interface) (runtime.Object, error) { return c.EventsV1().Events("").List(ctx, all) },
	} {
		first, err := list(clients[0])
		if err != nil {
			return err
		}
		second, err := list(clients[1])
		if err != nil {
			return err
		}
		if !equality.Semantic.DeepEqual(first, second) {
			return fmt.Errorf("%s: protobuf %v, JSON %v", name, first, second)
		}
	}
	return nil
}

// accepted holds the content types of all answers so far to what the client accepts.
func accepted(_ context.Context, w *world) error {
	w.answers.mu.Lock()
	defer w.answers.mu.Unlock()
	if len(w.answers.types) != 1 || w.answers.types[w.accept] < 50 {
		return fmt.Errorf("accepted %s, got %v", w.accept, w.answers.types)
	}
	return nil
}

func namespaceEmptied(ctx context.Context, w *world) error {
	namespaces := w.client.CoreV1().Namespaces()
	if _, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "full"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	maps := w.client.CoreV1().ConfigMaps("full")
	if _, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := namespaces.Delete(ctx, "full", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if err := eventually(ctx, "the namespace gone", func() bool {
		_, err := namespaces.Get(ctx, "full", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}); err != nil {
		return err
	}
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "b"}}, metav1.CreateOptions{})
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("created in a namespace that is gone: %v", err)
	}
	return nil
}
