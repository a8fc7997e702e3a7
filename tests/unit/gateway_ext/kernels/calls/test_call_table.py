"""Every call that kernels may make."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway_ext.kernels.calls.call_table import CALLS
from gateway_ext.kernels.calls.kernel_call import CallRefused, KernelCall
from gateway_ext.kernels.calls.launch_details import launch_details
from tests.unit.gateway_ext.sample_record import sample_record

PROTOCOLS = Path(__file__).parents[5] / "docs" / "protocols.md"
NOW = datetime(2026, 1, 1, 12, 30, 15, 678, tzinfo=timezone(timedelta(hours=1)))
RECORD = sample_record(kernel_id="id", path="demo/a.ipynb", launch_options={"cpus": "2"}, now=NOW)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_bounded_and_documented(call: KernelCall) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", call.name)
    assert CALLS[call.name] is call
    Draft202012Validator.check_schema(call.arguments)
    assert call.arguments["type"] == "object"
    assert call.arguments["additionalProperties"] is False
    assert 0 < call.longest <= 512 * 1024
    # Agents wait for 60 s.
    assert 0 < call.seconds < 60
    assert f"| `{call.name}` |" in PROTOCOLS.read_text()


def test_arguments_that_do_not_fit_are_refused_with_the_place() -> None:
    schema = {
        "type": "object",
        "properties": {"x": {"type": "array", "items": {"maximum": 3}}},
        "additionalProperties": False,
    }
    call = replace(CALLS["launch-details"], arguments=schema)
    assert call.check({"x": [1, 2]}) == {"x": [1, 2]}
    for bad, words in (
        ({"x": [1, 4]}, "arguments.x.1: 4 is greater than the maximum of 3"),
        ({"y": 1}, "arguments: Additional properties are not allowed ('y' was unexpected)"),
        ([], "arguments: [] is not of type 'object'"),
        (None, "arguments: None is not of type 'object'"),
    ):
        with pytest.raises(CallRefused) as refused:
            call.check(bad)
        assert (refused.value.status, refused.value.message) == (400, words)
    with pytest.raises(CallRefused) as refused:
        call.check({"x" * 10_000: 1})
    assert len(refused.value.message) == 300


def test_launch_details_are_those_of_the_record() -> None:
    assert asyncio.run(launch_details(RECORD, {})) == {
        "kernel_id": "id",
        "project": "demo",
        "path": "demo/a.ipynb",
        "username": "ada",
        "kernel_name": "python",
        "launch_options": {"cpus": "2"},
        "owner": "a",
        "epoch": 7,
        "started": "2026-01-01T11:30:15+00:00",
    }
    bare = asyncio.run(launch_details(replace(RECORD, launch_options=None), {}))
    assert bare["launch_options"] == {}
    assert datetime.fromisoformat("2026-01-01T11:30:15+00:00").tzinfo == UTC
