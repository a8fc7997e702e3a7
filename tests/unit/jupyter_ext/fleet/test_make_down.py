"""`make down` stops the fleet that `make up` started, wherever its data are."""

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("up", "told"),
    [
        ("", ["down"]),
        ("--labs 1", ["down"]),
        ("--labs 1 --data-dir /d --gateways 2", ["down", "--data-dir", "/d"]),
        ("--data-dir='/with a space' --labs 1", ["down", "--data-dir=/with a space"]),
    ],
)
def test_down_is_told_the_data_dir_of_up(tmp_path, up, told):
    program = tmp_path / "lab" / "bin" / "jupyter-fleet"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    made = subprocess.run(
        ["make", "down", f"ENVS={tmp_path}", f"UP={up}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stdout.splitlines()) == (0, told), made.stderr
