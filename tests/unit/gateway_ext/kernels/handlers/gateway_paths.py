"""Paths of a gateway, at least one for each of its routes."""

UNKNOWN = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
PATHS = (
    "/api",
    "/api/kernels",
    f"/api/kernels/{UNKNOWN}",
    f"/api/kernels/{UNKNOWN}/channels",
    f"/api/kernels/{UNKNOWN}/interrupt",
    f"/api/kernels/{UNKNOWN}/restart",
    "/api/kernelspecs",
    "/api/kernelspecs/python",
    "/api/sessions",
    "/api/swagger.json",
    "/api/swagger.yaml",
    f"/api/fleet/agents/{UNKNOWN}",
    "/api/fleet/clusters",
    "/api/fleet/gateways",
    "/api/fleet/gateways/a/drain",
    f"/api/fleet/kernels/{UNKNOWN}/events",
    f"/api/fleet/kernels/{UNKNOWN}/gone",
    f"/api/fleet/kernels/{UNKNOWN}/journal",
    f"/api/fleet/kernels/{UNKNOWN}/owner",
    "/api/fleet/kernelspecs/python/launch-options",
    "/api/fleet/leftovers",
    "/api/fleet/pools",
    "/kernelspecs/python/logo-64x64.png",
    "/nothing",
)
