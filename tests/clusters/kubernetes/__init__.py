"""Kubernetes for tests: built from Go modules, run in a network namespace of its own."""
