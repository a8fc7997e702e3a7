"""`make mutants`: change the code that decides, one small thing at a time, and see whether its unit
tests notice.

mutmut makes the changes in a copy of the working tree. Its survivors are read by a person: many
change nothing that matters, some show a test that is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Group:
    """Modules without I/O, and what tests them, by the environment that they need."""

    environment: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = (
    Group(
        "gateway",
        (
            *(
                f"gateway_ext/ownership/{n}.py"
                for n in ("culling", "lifecycle", "placement", "records")
            ),
            "gateway_ext/ownership/states.py",
            "gateway_ext/kernels/refusal.py",
            "gateway_ext/kernels/agents/unproven_room.py",
            "gateway_ext/process_proxies/*_status.py",
            *(
                f"gateway_ext/process_proxies/{n}.py"
                for n in ("back_off", "pod_end", "selectors", "sighting")
            ),
            "gateway_ext/process_proxies/spark_submit_output.py",
            *(f"gateway_ext/process_proxies/{n}_options.py" for n in ("pod", "spark")),
        ),
        (
            "tests/unit/gateway_ext/ownership",
            "tests/unit/gateway_ext/kernels/agents/test_unproven_room.py",
            *(
                f"tests/unit/gateway_ext/process_proxies/test_{n}.py"
                for n in ("back_off", "cluster_answers", "pod_end", "pod_status")
            ),
            *(
                f"tests/unit/gateway_ext/process_proxies/test_{n}.py"
                for n in (
                    "process_session",
                    "selectors",
                    "spark_application_status",
                    "spark_submit_output",
                )
            ),
            "tests/unit/gateway_ext/process_proxies/test_yarn_application_status.py",
            *(
                f"tests/unit/gateway_ext/process_proxies/test_{n}_options.py"
                for n in ("pod", "spark")
            ),
        ),
    ),
    Group(
        "lab",
        (
            *(f"jupyter_ext/wire/{n}.py" for n in ("frames", "messages", "proof")),
            *(f"jupyter_ext/platform/{n}.py" for n in ("safe_logs", "projects")),
            "jupyter_ext/contents/widget_state.py",
            *(
                f"jupyter_ext/launch_options/{n}.py"
                for n in ("check", "effective", "quantities", "schema_merge", "shown")
            ),
            *(f"jupyter_ext/audit/{n}.py" for n in ("audited_calls", "event_pace")),
            *(
                f"jupyter_ext/fleet/{n}.py"
                for n in ("key_file", "key_formats", "quantities", "rollout")
            ),
            "jupyter_ext/sessions/paths.py",
        ),
        (
            "tests/unit/jupyter_ext/audit",
            "tests/unit/jupyter_ext/wire",
            "tests/unit/jupyter_ext/contents/test_widget_state.py",
            "tests/unit/jupyter_ext/launch_options",
            *(
                f"tests/unit/jupyter_ext/fleet/test_{n}.py"
                for n in (
                    *("key_formats", "limits", "rollout", "roll_out"),
                    *("secret_rotation", "settings"),
                )
            ),
            *(f"tests/unit/jupyter_ext/platform/test_{n}.py" for n in ("safe_logs", "projects")),
            "tests/unit/jupyter_ext/sessions/test_session_paths.py",
        ),
    ),
    Group(
        "kernel",
        (
            *(
                f"gateway_ext/agent/{n}.py"
                for n in ("kernel_state", "restart_policy", "sessions", "way_policy")
            ),
            "gateway_ext/agent/kernel_end.py",
            "gateway_ext/agent/sent_output.py",
            *(f"gateway_ext/agent/{n}.py" for n in ("gateway_list", "silence", "work_meter")),
            *(f"gateway_ext/agent/requests/{n}.py" for n in ("index", "merged_streams", "runs")),
            "gateway_ext/agent/requests/people.py",
            *(f"gateway_ext/agent/{n}.py" for n in ("entry", "requests/unanswered")),
            *(f"gateway_ext/agent/segments/{n}.py" for n in ("format", "table")),
            *(f"gateway_ext/xgb_ray/training/{n}.py" for n in ("assignment", "scaling")),
            "gateway_ext/xgb_ray/training/failures.py",
        ),
        (
            "tests/unit/agent/test_agent_decisions_unit.py",
            "tests/unit/agent/test_kernel_end.py",
            "tests/unit/agent/test_people.py",
            "tests/unit/agent/test_sent_output.py",
            "tests/unit/agent/test_kernel_watch_unit.py",
            "tests/unit/agent/test_way_policy.py",
            *(f"tests/unit/xgb_ray/test_{n}.py" for n in ("assignment", "failures", "scaling")),
        ),
    ),
)


def run(group: Group, mutmut: Path) -> str:
    """The names of the mutants of a group that no test noticed, a line each, with their changes."""
    packages = next((ROOT / ".envs" / group.environment / "lib").glob("python*/site-packages"))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, Path(folder) / name)
        with (Path(folder) / "pyproject.toml").open("a") as settings:
            settings.write(
                "\n[tool.mutmut]\n"
                'source_paths = ["gateway_ext", "jupyter_ext"]\n'
                f"only_mutate = {json.dumps(group.modules)}\n"
                f"pytest_add_cli_args_test_selection = {json.dumps(group.tests)}\n"
                'do_not_mutate_patterns = ["raise ", "logger\\\\."]\n'
            )
        environment = {**os.environ, "PYTHONPATH": str(packages)}

        def call(*words: str) -> str:
            done = subprocess.run(
                [str(mutmut), *words], cwd=folder, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                sys.exit(f"mutmut {words[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
            return done.stdout

        print(call("run").strip().splitlines()[-2].split("\r")[-1])
        survivors = [line.split(":")[0].strip() for line in call("results").splitlines()]
        return "\n".join(call("show", name) for name in survivors if name)


def main() -> None:
    mutmut = Path(sys.argv[1]).resolve()
    chosen = sys.argv[2:] or [group.environment for group in GROUPS]
    for group in GROUPS:
        if group.environment in chosen:
            print(f"== {group.environment}", flush=True)
            print(run(group, mutmut), flush=True)


if __name__ == "__main__":
    main()
