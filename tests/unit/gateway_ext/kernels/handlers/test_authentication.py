"""Who may do what."""

import pytest

from gateway_ext.kernels.handlers.authentication import choose_project
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


def identity(service: str | None = None, **projects: Role) -> Identity:
    return Identity("ada", "Ada", projects, service, 0.0, "t")


def test_the_project_of_a_new_kernel() -> None:
    assert choose_project(identity(demo=Role.VIEWER), None) == "demo"
    assert choose_project(identity(demo=Role.VIEWER), "other") == "other"
    for caller in (
        identity(),
        identity(demo=Role.OWNER, other=Role.OWNER),
        identity(service="lab"),
    ):
        with pytest.raises(Refusal) as refused:
            choose_project(caller, None)
        assert refused.value.status == 400
