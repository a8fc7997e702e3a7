"""What `jupyter fleet` and gateways agree on about walls around kernels, and their network."""

WALLS = ("none", "auto", "required")
"""Whether kernels have walls: never, where the system allows it, always."""
NETWORKS = ("auto", "none", "internet", "host")
"""How far a kernel reaches; `auto` is what can be had."""
PROBE = "gateway_ext.agent.walls.probe"
"""The program that tries whether walls can be built, in the kernels' environment."""
PROBE_SECONDS = 60.0
"""It takes a second; on a busy machine that has not read its files yet, much longer."""
