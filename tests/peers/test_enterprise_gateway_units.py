"""Enterprise Gateway's tests of parts that ours uses unchanged: they pass beside our package."""

from types import FunctionType
from typing import Any
from unittest import TestCase

import pytest
from enterprise_gateway.tests import (  # type: ignore[import-untyped]
    test_kernelspec_cache,
    test_mixins,
    test_process_proxy,
    test_yaml_injection,
)


def is_a_test(name: str, value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, TestCase)
    return name.startswith("test_") and isinstance(value, FunctionType)


NO_TEMPLATES = "the templates of its launchers lie in its sources, not in the installed package"

for module in (test_mixins, test_process_proxy, test_yaml_injection):
    globals().update(
        {name: value for name, value in vars(module).items() if is_a_test(name, value)}
    )
# With its fixtures.
globals().update({n: v for n, v in vars(test_kernelspec_cache).items() if not n.startswith("_")})
for name in ("TestSecurityContextInjection", "TestNormalOperation", "TestSparkOperatorTemplate"):
    globals()[name] = pytest.mark.skip(reason=NO_TEMPLATES)(globals()[name])
