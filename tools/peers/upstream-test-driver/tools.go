//go:build tools

// Package peers names the programs that build.sh builds, as they are upstream: what go.mod is for.
package peers

import (
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/test/e2e/dra/test-driver"
)
