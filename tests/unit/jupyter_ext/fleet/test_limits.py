import argparse

import pytest

from jupyter_ext.fleet.command_line import parser
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.quantities import duration, size
from jupyter_ext.fleet.settings import Settings


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("500M", 500 * 2**20), ("4g", 4 * 2**30), ("1.5 GB", 3 * 2**29), ("1024", 1024)],
)
def test_sizes(text, count):
    assert size(text) == count


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("90", 90), ("30m", 1800), ("8h", 28800)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "4X", "G", "1e9", "nan", "4GG"])
def test_what_is_no_quantity(text):
    for kind in (size, duration):
        with pytest.raises(argparse.ArgumentTypeError, match="is not understood"):
            kind(text)


def test_limits_are_options_of_up():
    options = parser().parse_args(
        ["up", "--max-kernels", "9", "--kernel-memory", "4G", "--cull-idle", "8h"]
    )
    assert (options.max_kernels, options.kernel_memory, options.cull_idle) == (9, 2**32, 28800)
    assert options.max_kernels_per_user is None


def test_a_limit_is_kept_until_it_is_taken_back():
    settings = Settings().changed({"kernel_memory": 2**32, "max_kernels": None})
    assert settings.changed({"max_kernels": 5}).kernel_memory == 2**32
    unlimited = settings.changed({"kernel_memory": 0})
    assert unlimited.kernel_memory == 0
    words = settings.differences(unlimited)["kernel_memory"]
    assert words == "--kernel-memory 4294967296 instead of no limit"
    assert settings.differences(settings.changed({"kernel_memory": 2**32})) == {}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_kernels": -1}, "--max-kernels -1 is out of range"),
        ({"kernel_memory": 1000}, "--kernel-memory 1000 is out of range: use 104857600 or more"),
        ({"cull_idle": 3}, "--cull-idle 3 is out of range: use 20 or more"),
    ],
)
def test_limits_under_which_nobody_could_work(limits, words):
    with pytest.raises(FleetError, match=words):
        Settings().changed(limits)
