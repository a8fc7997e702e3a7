"""Connecting to a Ray cluster, running tasks there, and what their failures mean."""
