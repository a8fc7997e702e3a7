import argparse

import pytest

from jupyter_ext.fleet.command_line import parser
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.quantities import duration, duration_text, size, size_text
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
        with pytest.raises(argparse.ArgumentTypeError, match="is not valid"):
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
    assert words == "--kernel-memory 4G instead of no limit"
    assert settings.differences(settings.changed({"kernel_memory": 2**32})) == {}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_kernels": -1}, "--max-kernels -1 is out of range: use 1 or more, or 0 (no limit)"),
        (
            {"kernel_memory": 50 * 2**20},
            "--kernel-memory 50M is out of range: use 100M or more, or 0 (no limit)",
        ),
        ({"cull_idle": 3}, "--cull-idle 3s is out of range: use 20s or more, or 0 (never)"),
        ({"labs": 0}, "--labs 0 is out of range: use 1 to 64"),
    ],
)
def test_limits_under_which_nobody_could_work(limits, words):
    with pytest.raises(FleetError) as refused:
        Settings().changed(limits)
    assert str(refused.value) == words


@pytest.mark.parametrize("count", [0, 1, 1000, 1024, 1536 * 2**20, 2**32, 2**39])
def test_what_is_shown_can_be_typed(count):
    assert size(size_text(count)) == count
    assert duration(duration_text(count)) == count


def test_quantities_are_shown_in_the_largest_unit_that_fits():
    assert [size_text(count) for count in (0, 1000, 3 * 2**29)] == ["0", "1000", "1536M"]
    assert [duration_text(count) for count in (0, 90, 600, 86400)] == ["0", "90s", "10m", "1d"]


@pytest.mark.parametrize("told", [{"cull_warning": 31}, {"cull_idle": 60, "cull_warning": 31}])
def test_a_warning_longer_than_half_of_the_idle_time_is_refused(told):
    with pytest.raises(FleetError, match=r"--cull-warning 31s .* --cull-idle 1m: use 30s or less"):
        Settings(cull_idle=60).changed(told)


def test_a_shorter_idle_time_keeps_no_longer_warning():
    kept = Settings().changed({"cull_idle": 3600, "cull_warning": 1200})
    with pytest.raises(FleetError, match="--cull-warning 20m is more than half of --cull-idle 30m"):
        kept.changed({"cull_idle": 1800})
    assert kept.changed({"cull_idle": 1800, "cull_warning": 900}).cull_warning == 900
    # Nothing is ended: there is nothing to be warned of.
    assert kept.changed({"cull_idle": 0}).cull_warning == 1200


def test_the_warning_that_nobody_asked_for_is_no_error():
    assert Settings().changed({"cull_idle": 60}).cull_idle == 60
    kept = Settings(cull_idle=60, cull_warning=50)
    assert kept.changed({"labs": 3}).labs == 3
