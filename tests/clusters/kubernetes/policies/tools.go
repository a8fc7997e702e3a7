//go:build tools

// Names the program of this module, so that go.mod and go.sum have all that it needs.
package policies

import _ "sigs.k8s.io/kube-network-policies/cmd"
