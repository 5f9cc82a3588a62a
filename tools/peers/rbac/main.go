// Answers the cases of controlplane/apiserver/rbac_differential.cc with Kubernetes' own RBAC.
//
// A line is one case: roles and bindings, a user, requests and rules that he wants to grant. It is
// written back with `allowed`, an answer for each request, and `missing`, for each grant the lines
// of what he does not hold. differential_test.sh runs both ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	rbacregistryvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

type policyCase struct {
	Roles               []*rbacv1.Role               `json:"roles"`
	RoleBindings        []*rbacv1.RoleBinding        `json:"roleBindings"`
	ClusterRoles        []*rbacv1.ClusterRole        `json:"clusterRoles"`
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
	User                struct {
		Name   string   `json:"name"`
		Groups []string `json:"groups"`
	} `json:"user"`
	Requests []struct {
		Verb        string `json:"verb"`
		Group       string `json:"group"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		Path        string `json:"path"`
	} `json:"requests"`
	Grants []struct {
		Namespace string              `json:"namespace"`
		Rules     []rbacv1.PolicyRule `json:"rules"`
	} `json:"grants"`
}

func answer(line []byte) (map[string]json.RawMessage, error) {
	var c policyCase
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, err
	}
	resolver, roles := rbacregistryvalidation.NewTestRuleResolver(c.Roles, c.RoleBindings, c.ClusterRoles, c.ClusterRoleBindings)
	authorize := rbac.New(roles, roles, roles, roles)
	who := &user.DefaultInfo{Name: c.User.Name, Groups: c.User.Groups}
	allowed := []bool{}
	for _, r := range c.Requests {
		decision, _, _ := authorize.Authorize(context.Background(), authorizer.AttributesRecord{
			User: who, Verb: r.Verb, APIGroup: r.Group, Resource: r.Resource, Subresource: r.Subresource,
			Namespace: r.Namespace, Name: r.Name, Path: r.Path, ResourceRequest: r.Path == ""})
		allowed = append(allowed, decision == authorizer.DecisionAllow)
	}
	missing := [][]string{}
	for _, g := range c.Grants {
		ctx := genericrequest.WithNamespace(genericrequest.WithUser(context.Background(), who), g.Namespace)
		lines := []string{}
		if err := rbacregistryvalidation.ConfirmNoEscalation(ctx, resolver, g.Rules); err != nil {
			text, _, _ := strings.Cut(err.Error(), "; resolution errors:")
			lines = strings.Split(text, "\n")[1:]
		}
		missing = append(missing, lines)
	}
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal(line, &out); err != nil {
		return nil, err
	}
	out["allowed"], _ = json.Marshal(allowed)
	out["missing"], _ = json.Marshal(missing)
	return out, nil
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		answered, err := answer(line)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		text, _ := json.Marshal(answered)
		out.Write(append(text, '\n'))
	}
}
