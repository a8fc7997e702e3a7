"""Which options of `up` are refused beside others."""

import re
from typing import Any

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.options_without_effect import refuse_without_effect
from jupyter_ext.fleet.settings import Settings

ALLOWED = "10.1.2.3:6379"


def refuse(kept: dict[str, Any], told: dict[str, Any]) -> None:
    refuse_without_effect(Settings().changed(kept).changed(told), told)


@pytest.mark.parametrize(
    ("other", "told", "words"),
    [
        ({}, {"cull_warning": 600}, "without --cull-idle"),
        ({"max_kernels": 4}, {"max_kernels_per_user": 5}, "above --max-kernels 4"),
        ({"kernel_walls": "none"}, {"shown_folders": "/data"}, "with --kernel-walls none"),
        ({"kernel_walls": "none"}, {"kernel_network_allowed": ALLOWED}, "--kernel-walls none"),
        ({"kernel_network": "host"}, {"kernel_network_allowed": ALLOWED}, "--kernel-network host"),
        ({"kernel_network": "none"}, {"kernel_network_allowed": ALLOWED}, "--kernel-network none"),
        ({}, {"insecure_http": True}, "without --listen"),
        ({"listen": "127.0.0.2"}, {"insecure_http": True}, "without --listen"),
        ({"listen": "0.0.0.0", "tls_cert": "/c"}, {"insecure_http": True}, "with --tls-cert"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    other: dict[str, Any], told: dict[str, Any], words: str
) -> None:
    (name,) = told
    option = f"--{name.replace('_', '-')} has no effect"
    for before, now in ((other, told), ({}, {**other, **told})):
        with pytest.raises(FleetError, match=f"{option} .*{re.escape(words)}"):
            refuse(before, now)
    # What was kept may have its effect again.
    refuse(told, other)


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({}, {}),
        ({"cull_idle": 3600}, {"cull_warning": 600}),
        ({}, {"cull_idle": 3600, "cull_warning": 0}),
        # To take back what has no effect.
        ({}, {"cull_warning": 0, "insecure_http": False}),
        ({"kernel_walls": "none"}, {"shown_folders": "", "kernel_network_allowed": ""}),
        ({"max_kernels": 4}, {"max_kernels_per_user": 4}),
        ({}, {"max_kernels_per_user": 5}),
        ({}, {"shown_folders": "/data", "kernel_network_allowed": ALLOWED}),
        ({"listen": "0.0.0.0"}, {"insecure_http": True}),
    ],
)
def test_what_has_an_effect_or_takes_one_back_is_taken(
    kept: dict[str, Any], told: dict[str, Any]
) -> None:
    refuse(kept, told)
