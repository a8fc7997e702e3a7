"""A path that is called is one that the handler's pattern takes apart again; what queries mean."""

import re

import pytest
from tornado.escape import parse_qs_bytes

from jupyter_ext.wire.routes import (
    DRAIN_ROUTE,
    GATEWAYS_ROUTE,
    OWNER_ROUTE,
    cancels_launch,
    path_of,
    pattern_of,
)


def test_paths_and_patterns_belong_together() -> None:
    assert path_of(OWNER_ROUTE, kernel_id="k-1") == "/api/fleet/kernels/k-1/owner"
    found = re.fullmatch(pattern_of(OWNER_ROUTE), path_of(OWNER_ROUTE, kernel_id="k-1"))
    assert found is not None
    assert found.groupdict() == {"kernel_id": "k-1"}
    assert path_of(DRAIN_ROUTE, name="a/b c") == "/api/fleet/gateways/a%2Fb%20c/drain"
    assert not re.fullmatch(pattern_of(DRAIN_ROUTE), "/api/fleet/gateways/a/b/drain")
    assert path_of(GATEWAYS_ROUTE) == pattern_of(GATEWAYS_ROUTE) == GATEWAYS_ROUTE


@pytest.mark.parametrize(
    ("query", "cancels"),
    [
        ("launching=1", True),
        ("reason=x&launching=1", True),
        ("launching=%31", True),
        ("", False),
        ("reason=launching", False),
        *(
            (query, None)
            for query in (
                "launching=true",
                "launching=",
                "launching",
                "launching=01",
                "launching=1+",
                "launching=1&launching=1",
                "LAUNCHING=1",
                "+launching=1",
                "launching=1&Launching=1",
            )
        ),
    ],
)
def test_a_guard_that_is_misspelled_is_refused(query: str, cancels: bool | None) -> None:
    # As tornado takes a query apart.
    arguments = parse_qs_bytes(query, keep_blank_values=True)
    if cancels is None:
        with pytest.raises(ValueError, match="launching=1"):
            cancels_launch(arguments)
    else:
        assert cancels_launch(arguments) is cancels
