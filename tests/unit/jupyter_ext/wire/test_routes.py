"""A path that is called is one that the handler's pattern takes apart again."""

import re

from jupyter_ext.wire.routes import DRAIN_ROUTE, GATEWAYS_ROUTE, OWNER_ROUTE, path_of, pattern_of


def test_paths_and_patterns_belong_together() -> None:
    assert path_of(OWNER_ROUTE, kernel_id="k-1") == "/api/fleet/kernels/k-1/owner"
    found = re.fullmatch(pattern_of(OWNER_ROUTE), path_of(OWNER_ROUTE, kernel_id="k-1"))
    assert found is not None
    assert found.groupdict() == {"kernel_id": "k-1"}
    assert path_of(DRAIN_ROUTE, name="a/b c") == "/api/fleet/gateways/a%2Fb%20c/drain"
    assert not re.fullmatch(pattern_of(DRAIN_ROUTE), "/api/fleet/gateways/a/b/drain")
    assert path_of(GATEWAYS_ROUTE) == pattern_of(GATEWAYS_ROUTE) == GATEWAYS_ROUTE
