"""Files that a machine lacks, and of which a kernel was to have a content of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_ext.agent.walls.probe import why_not

BUILD = """
import json, os, sys
from pathlib import Path
from gateway_ext.agent.walls import namespaces
from gateway_ext.agent.walls.places import Walls, needed_by_python
own, files = Path(sys.argv[1]), json.loads(sys.argv[2])
namespaces.enter()
namespaces.leave_the_rest(network=False)
if not os.fork():
    python = needed_by_python(sys.path, (sys.prefix, sys.base_prefix))
    namespaces.build(Walls((), tuple(python)), own, files)
    print(json.dumps({path: os.path.exists(path) and open(path).read() for path in files}))
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


def test_what_the_machine_lacks_is_not_made(tmp_path: Path) -> None:
    if reason := why_not(tmp_path):
        pytest.skip(reason)
    own, there, missing = tmp_path / "own", tmp_path / "own" / "there", tmp_path / "own" / "missing"
    own.mkdir()
    there.write_text("old")
    files = json.dumps({str(there): "new", str(missing): "new"})
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(own), files],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {str(there): "new", str(missing): False}
    assert not missing.exists()
    assert there.read_text() == "old"
