"""Kernel specs of the gateways, as a lab shows them."""

import pytest

from jupyter_ext.kernels.specs import default_of, with_own_urls


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"default": "b", "kernelspecs": {"a": {}, "b": {}}}, "b"),
        # A gateway's default need not be installed there.
        ({"default": "python3", "kernelspecs": {"b": {}, "a": {}}}, "a"),
        ({"default": "python3", "kernelspecs": {}}, "python3"),
        ({}, ""),
    ],
)
def test_the_default_is_one_that_exists(document: dict[str, object], name: str) -> None:
    assert default_of(document) == name


def test_resources_are_fetched_through_the_lab() -> None:
    resources = {"logo-64x64": "/base/kernelspecs/python/logo-64x64.png", "kernel.js": "x.js"}
    spec = {"name": "python", "spec": {}, "resources": resources}
    shown = with_own_urls(spec, "/lab1/")
    assert shown["resources"]["logo-64x64"] == "/lab1/kernelspecs/python/logo-64x64.png"
    assert spec["resources"]["logo-64x64"].startswith("/base/")
