"""Launch options of kernels on the gateway's machine, and the operator's policy."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)

SEE = "import os; print(os.environ.get('MODE'), os.environ.get('API_TOKEN'))"


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that the gateways reload; it is wrong at first."""
    file = tmp_path_factory.mktemp("policy") / "policy.json"
    file.write_text("{")
    return file


@pytest.fixture(scope="module")
def fleet(policy: Path) -> Iterator[Gateways]:
    changes = {"FleetGatewayApp": {"launch_policy_file": str(policy)}}
    with running_gateways(changes=changes) as gateways:
        folder = gateways.directory / "kernels" / "chosen"
        folder.mkdir()
        spec = json.loads((gateways.directory / "kernels" / "python" / "kernel.json").read_text())
        shipped = json.loads((REPOSITORY / "kernelspecs" / "python" / "kernel.json").read_text())
        spec["metadata"]["fleet"] = shipped["metadata"]["fleet"]
        (folder / "kernel.json").write_text(json.dumps(spec))
        yield gateways


def write(policy: Path, options: Any, *, project: str = "demo") -> None:
    document = {"projects": {project: {"kernelspecs": {"*": options}}}}
    new = policy.with_suffix(".new")
    new.write_text(json.dumps(document))
    os.replace(new, policy)


def start(fleet: Gateways, number: int = 0, kernel_id: str = "", **body: Any) -> Any:
    body = {"name": "chosen", "kernel_id": kernel_id or str(uuid.uuid4()), **body}
    return fleet.client().call("POST", f"{fleet.urls[number]}/api/kernels", json=body)


def test_a_policy_that_is_wrong_at_first_refuses_options_and_is_corrected(
    fleet: Gateways, policy: Path
) -> None:
    assert f"the launch policy {policy} cannot be read: it is not JSON" in fleet.log(0)
    refused = start(fleet, launch_options={"memory": "1Gi"})
    assert refused.status_code == 500
    assert "the operator's launch policy cannot be read" in refused.json()["message"]
    assert str(policy) not in refused.text
    # A kernel without options starts.
    plain = start(fleet, number=1)
    assert plain.status_code == 201, plain.text
    assert plain.json()["launch_options"] == {}

    write(policy, {"memory": {"maximum": "2Gi"}})
    refused = start(fleet, launch_options={"memory": "4Gi"})
    assert (refused.status_code, refused.json()["option"]) == (400, "memory")
    assert refused.json()["message"] == (
        'launch_options.memory "4Gi" is not allowed: a quantity such as 512Mi or 4Gi, at least '
        "100Mi, at most 2Gi"
    )
    # Another project is not limited by it.
    answer = fleet.client(demo="owner", other="owner").call(
        "GET", f"{fleet.urls[1]}/api/fleet/kernelspecs/chosen/launch-options?project=other"
    )
    assert "maximum" not in answer.json()["schema"]["properties"]["memory"]

    # A later mistake changes nothing.
    policy.write_text('{"projects": []}')
    assert start(fleet, launch_options={"memory": "4Gi"}).status_code == 400
    assert "keeping its previous content" in fleet.log(0)
    write(policy, {"memory": {"maximum": "4Gi"}})


def test_memory_and_environment_of_a_kernel(fleet: Gateways, policy: Path) -> None:
    write(policy, {"memory": {"maximum": "2Gi"}})
    options = {"memory": "400Mi", "environment": {"MODE": "fast", "API_TOKEN": "hush"}}
    answer = start(fleet, launch_options=options)
    assert answer.status_code == 201, answer.text
    kernel_id = answer.json()["id"]
    shown = {"memory": "400Mi", "environment": {"MODE": None, "API_TOKEN": None}}
    assert answer.json()["launch_options"] == shown
    with fleet.client().channels(fleet.urls[0], kernel_id) as channels:
        # The variables are the kernel's and not the agent's.
        assert channels.run(SEE).split() == ["fast", "hush"]
        (agent,) = agents_of(kernel_id)
        assert "hush" not in Path(f"/proc/{agent}/environ").read_text()
        channels.execute("x = bytearray(800 * 1024 * 1024)")
        model = f"{fleet.urls[0]}/api/kernels/{kernel_id}"

        def reason() -> str:
            return str(fleet.client().call("GET", model).json()["reason"])

        wait_until(lambda: "out of memory" in reason(), 60)
        assert "400" in reason()
    # The same request again is the same kernel, another one is not.
    again = {"kernel_id": kernel_id, "launch_options": options}
    assert start(fleet, **again).status_code == 201
    other = start(fleet, kernel_id=kernel_id, launch_options={"memory": "500Mi"})
    assert other.status_code == 409
    assert "exists with another launch option 'memory'" in other.json()["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"launch_options": {"cpus": 1}}, "launch_options.cpus is not allowed: the options of the"),
        ({"launch_options": {"memory": "x"}}, 'launch_options.memory "x" is not allowed'),
        ({"launch_options": {"environment": {"KERNEL_ID": "1"}}}, 'the name "KERNEL_ID" is not'),
        ({"launch_options": "x"}, "launch_options must be an object"),
        ({"name": "python", "launch_options": {"memory": "1Gi"}}, "has no launch options"),
        ({"env": {"KERNEL_IMAGE": "x"}}, "KERNEL_IMAGE may not be set: use launch_options.image"),
    ],
)
def test_what_is_not_allowed(
    fleet: Gateways, policy: Path, body: dict[str, Any], words: str
) -> None:
    write(policy, {"memory": {"maximum": "2Gi"}})
    answer = start(fleet, **body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
