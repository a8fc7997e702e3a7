"""The operator's policy, and the file that it is in."""

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.launch_options.policy import PolicyFile, PolicyUnavailable, parse_policy


def policy(projects: Any) -> bytes:
    return json.dumps({"projects": projects}).encode()


def of(options: Any) -> Any:
    return {"kernelspecs": {"*": options}}


def test_the_most_specific_entry_counts_for_each_option() -> None:
    parsed = parse_policy(
        policy(
            {
                "*": {
                    "kernelspecs": {
                        "*": {"cpus": {"maximum": 2}, "queue": False, "image": {"const": "a"}},
                        "POD": {"cpus": {"maximum": 3}},
                    }
                },
                "big": {
                    "kernelspecs": {
                        "*": {"cpus": {"maximum": 8}, "queue": True},
                        "pod": {"memory": {"maximum": "8Gi"}},
                    }
                },
            }
        )
    )
    assert parsed.of("demo", "x")["cpus"] == {"maximum": 2}
    assert parsed.of("demo", "pod")["cpus"] == {"maximum": 3}
    assert parsed.of("big", "pod") == {
        "cpus": {"maximum": 8},
        "queue": True,
        "image": {"const": "a"},
        "memory": {"maximum": 8 * 1024**3},
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "nothing but"),
        (b'{"project": {}}', 'the policy must be an object with nothing but "projects"'),
        (policy([]), "projects of the policy must be an object"),
        (policy({"Demo!": of({})}), "not a project name"),
        (policy({"demo": {"kernelspecs": {"Pod": {}, "pod": {}}}}), "has 'pod' twice"),
        (policy({"demo": {"cpus": {}}}), r"projects\['demo'\] must be an object with nothing but"),
        (policy({"demo": of([])}), r"kernelspecs\['\*'\] must be an object"),
        (policy({"demo": of({"gpu": False})}), "there is no option 'gpu'"),
        (policy({"demo": of({"cpus": 4})}), r"\.cpus: it must be a JSON Schema"),
        (policy({"demo": of({"cpus": {"maximum": "x"}})}), r"\.cpus: 'x' is not a quantity"),
        (
            policy({"demo": of({"cpus": {"maximum": math.nan}})}),
            r"\.cpus: maximum: NaN is not a nu",
        ),
        (policy({"demo": of({"cpus": {"minimum": -math.inf}})}), r"\.cpus: minimum: -Infinity is"),
        (
            policy({"demo": of({"cpus": {"maximum": 0.5}})}).replace(b"0.5", b"1e999"),
            r"\.cpus: maximum: Infinity is not a number of JSON",
        ),
        (policy({"demo": of({"cpus": {"enum": [1, math.nan]}})}), r"\.cpus: enum/1: NaN is not"),
        (policy({"demo": of({"cpus": {"type": "core"}})}), r"\.cpus: type: 'core' is not valid"),
    ],
)
def test_a_policy_that_is_wrong_says_where(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_policy(content)


GOOD = policy({"*": of({"queue": False})})
LATER = policy({"*": of({"queue": True})})


def write(file: Path, content: bytes, at: int) -> None:
    file.write_bytes(content)
    os.utime(file, (at, at))


def test_a_file_that_changes_and_breaks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "policy.json"
    write(file, GOOD, 1)
    policies = PolicyFile(str(file), logging.getLogger("test"))
    assert policies.current().of("demo", "pod") == {"queue": False}
    write(file, b"{", 2)
    assert policies.current().of("demo", "pod") == {"queue": False}
    assert f"{file} cannot be read, keeping its previous content" in caplog.text
    write(file, LATER, 3)
    assert policies.current().of("demo", "pod") == {"queue": True}


def test_a_first_file_that_is_broken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "policy.json"
    write(file, b"{", 1)
    policies = PolicyFile(str(file), logging.getLogger("test"))
    for _ in range(3):
        with pytest.raises(PolicyUnavailable, match="it is not JSON"):
            policies.current()
    # Once, not at each start.
    assert caplog.text.count("without launch options only") == 1
    write(file, GOOD, 2)
    assert policies.current().of("demo", "pod") == {"queue": False}


def test_no_file() -> None:
    assert PolicyFile("", logging.getLogger("test")).current().of("demo", "pod") == {}


def test_the_example_in_the_documentation_is_a_policy() -> None:
    guide = (Path(__file__).parents[4] / "deploy" / "README.md").read_text()
    [example] = [
        text
        for part in guide.split("```json\n")[1:]
        if '"kernelspecs"' in (text := part.partition("```")[0])
    ]
    parsed = parse_policy(example.encode())
    assert parsed.of("demo", "pod")["resources"] is False
    assert parsed.of("vision", "pod")["cpus"] == {"maximum": 16}
    assert parsed.of("vision", "pod")["resources"] is False
    assert parsed.of("vision", "torch_kubernetes")["resources"] != False  # noqa: E712
