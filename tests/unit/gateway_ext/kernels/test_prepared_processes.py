"""Whose choice a kernel's processes run from their start on."""

from dataclasses import replace
from typing import Any

import pytest

from gateway_ext.kernels.prepared_processes import SIZES_AND_PLACES, prepared_by
from gateway_ext.ownership.new_kernel import NewKernel
from jupyter_ext.launch_options.properties import PROPERTIES

STOCK = {
    "KERNEL_LAUNCH_TIMEOUT": "40",
    "KERNEL_USERNAME": "bob",
    "KERNEL_ID": "k",
    # Where gateways let clients set any variable, labs' starts bring it.
    "JPY_SESSION_NAME": "demo/n.ipynb",
}


def started(
    variables: dict[str, str] | None = None,
    defaults: dict[str, Any] | None = None,
    *,
    by_service: bool = False,
    **options: Any,
) -> tuple[str | None, ...]:
    new = NewKernel("k", "demo", "", "ada", "python", variables or {}, options)
    return prepared_by(replace(new, by_service=by_service), defaults or {})


def test_whoever_chooses_nothing_or_a_size_or_a_place_prepares_nothing() -> None:
    assert started() == ()
    assert started(STOCK) == ()
    assert started(cpus=2, memory="4Gi", queue="q", resources={"nvidia.com/gpu": 1}) == ()
    assert started(spark={"spark.executor.memory": "4g", "spark.executor.cores": 2}) == ()


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONPATH": "/x"}, {"MODE": ""}, {"KERNEL_WORKING_DIR": "/x"}, {"KERNEL_IMAGE": "x"}],
)
def test_whoever_chooses_a_variable_has_prepared_it(environment: dict[str, str]) -> None:
    assert started({**STOCK, **environment}) == ("ada",)
    assert started({**STOCK, **environment}, by_service=True) == (None,)


@pytest.mark.parametrize(
    "options",
    [
        {"environment": {"PYTHONSTARTUP": "x.py"}},
        {"image": "mine:1"},
        {"spark": {"spark.driver.extraJavaOptions": "-javaagent:x"}},
        {"cpus": 2, "an_option_of_later": 1},
    ],
)
def test_whoever_chooses_an_option_that_reaches_the_process_has_too(options: Any) -> None:
    assert started(**options) == ("ada",)


def test_what_an_operator_has_chosen_is_nobodys_choice() -> None:
    defaults = {"image": "a:1", "environment": {"MODE": "x", "LEVEL": "1"}, "cpus": 1}
    assert started(defaults=defaults, **defaults) == ()
    assert started(defaults=defaults, **{**defaults, "image": "b:1"}) == ("ada",)
    for environment in ({"MODE": "y", "LEVEL": "1"}, {"MODE": "x"}, {}, {"MODE": None}):
        assert started(defaults=defaults, environment=environment) == ("ada",)


def test_each_option_is_known_to_reach_the_process_or_not_to() -> None:
    assert PROPERTIES.keys() - SIZES_AND_PLACES == {"image", "environment", "spark"}
    assert PROPERTIES.keys() > SIZES_AND_PLACES
