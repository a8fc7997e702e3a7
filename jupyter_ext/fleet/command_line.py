"""The command ``jupyter fleet`` (console script ``jupyter-fleet``)."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jupyter_ext.fleet.browser_address import check_listen
from jupyter_ext.fleet.build import installed_build, version_line
from jupyter_ext.fleet.cluster_answers import cluster_answers, warnings
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.dropped_clusters import dropped_clusters
from jupyter_ext.fleet.failure import FleetError, words_for
from jupyter_ext.fleet.first_answer import first_answer
from jupyter_ext.fleet.kept_settings import load_settings
from jupyter_ext.fleet.kernel_network import network_notice
from jupyter_ext.fleet.kernel_walls import one_user_notice, walls_notices
from jupyter_ext.fleet.kernels import (
    declare_gone,
    drain,
    full_id,
    kernel,
    kernel_text,
    kernels,
    kernels_table,
    not_running,
)
from jupyter_ext.fleet.leftovers import find_leftovers
from jupyter_ext.fleet.login_link import (
    DEMO_USER,
    LINK_SECONDS,
    add_token_options,
    demo_token,
    login_link,
)
from jupyter_ext.fleet.notices import notices
from jupyter_ext.fleet.options_without_effect import refuse_without_effect
from jupyter_ext.fleet.quantities import duration_text
from jupyter_ext.fleet.revoking import revoke
from jupyter_ext.fleet.secrets_command import run_secrets, secrets_arguments
from jupyter_ext.fleet.settings import OPTIONS, Settings, flag, told_settings
from jupyter_ext.fleet.status import as_table, status
from jupyter_ext.fleet.stop import end_kernels, stop
from jupyter_ext.fleet.store_room import lack_on_disk
from jupyter_ext.fleet.supervisor import Supervisor
from jupyter_ext.fleet.tools import environment
from jupyter_ext.platform.counted import counted
from jupyter_ext.platform.revocations import Revoked
from jupyter_ext.platform.tokens import TokenKeysError

DEFAULT_DATA_DIR = "~/.local/share/jupyter-fleet"
DATA_DIR_VARIABLE = "JUPYTER_FLEET_DATA"
WATCH_SECONDS = 1.0
LOG_LINES = 200
KERNELS_SECONDS = 8.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 if it failed, 2 for wrong usage."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace, DataDir], int] = options.command
    try:
        data_dir = DataDir.at(options.data_dir)
        data_dir.refuse_another_users()
        return _run(command, options, data_dir)
    except FleetError as error:
        print(f"jupyter fleet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe; Python must not try to flush to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(
    command: Callable[[argparse.Namespace, DataDir], int],
    options: argparse.Namespace,
    data_dir: DataDir,
) -> int:
    """Run the command; raises `FleetError` for errors of the operating system, too."""
    try:
        return command(options, data_dir)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FleetError(words_for(error, data_dir.root)) from error
    except TokenKeysError as error:
        raise FleetError(f"{error}: restore the file from a backup") from error


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="jupyter fleet",
        description="Run a fleet of JupyterLab servers and kernel gateways on this machine.",
    )
    top.add_argument(
        "--version",
        action="version",
        version=f"jupyter fleet {version_line()} (build {installed_build(Path(sys.prefix))})",
        help="print the installed version and build",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[..., int], text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(command=command)
        one.add_argument(
            "--data-dir",
            metavar="D",
            default=os.environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR,
            help=f"the fleet's data directory (${DATA_DIR_VARIABLE}, {DEFAULT_DATA_DIR})",
        )
        return one

    up = add("up", up_command, "Start the fleet and print its URL; supervise it until ^C.")
    up.add_argument(
        "--detach",
        action="store_true",
        help="run in the background; return when the fleet responds",
    )
    for name, setting in OPTIONS.items():
        alone: dict[str, Any] = {}
        if setting.alone is not None:
            alone = {"nargs": "?", "const": setting.alone}
        up.add_argument(
            flag(name), type=setting.kind, metavar=setting.metavar, help=setting.help, **alone
        )

    show = add("status", status_command, "Show the state of every process.")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.add_argument(
        "--token",
        action="store_true",
        help="also print a link that signs one browser in as the demo user",
    )

    down = add(
        "down", down_command, "Stop the fleet; kernels keep running unless --kernels is given."
    )
    down.add_argument("--kernels", action="store_true", help="end the kernels too")

    every = add("kernels", kernels_command, "List the kernels: state, owner, epoch.")
    every.add_argument("--json", action="store_true", help="print JSON")

    one = add("kernel", kernel_command, "Show one kernel and its history.")
    one.add_argument("kernel_id", metavar="ID")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument(
        "--gone",
        action="store_true",
        help="say that the machine or node of an unreachable kernel is gone for good: the kernel "
        "is dead, and a restart that waits for its end begins. If it does still run there, there "
        "are two until its agent reaches a gateway again",
    )

    leave = add(
        "drain",
        drain_command,
        "Move a gateway's kernels to the other gateways. It accepts none until it restarts, or "
        "until `drain --stop`.",
    )
    leave.add_argument("gateway", metavar="GATEWAY", help="for example gateway-1")
    leave.add_argument("--stop", action="store_true", help="let it accept kernels again")

    logs = add("logs", logs_command, "Show the logs of one program or of all.")
    logs.add_argument("name", nargs="?", metavar="NAME", help="for example lab-1")
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing new lines")

    token = add("token", token_command, "Print a token of the demo platform.")
    token.add_argument("user", metavar="USER")
    add_token_options(token)
    link = add(
        "login-link",
        login_link_command,
        "Print a link that signs one browser in, within a quarter of an hour.",
    )
    link.add_argument("user", metavar="USER", nargs="?", default=DEMO_USER)
    add_token_options(link)
    revoke = add("revoke", revoke_command, "Take back the tokens that were given until now.")
    whose = revoke.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user", metavar="USER", help="every token of this user, and every login")
    whose.add_argument(
        "--project", metavar="NAME", help="every role in this project; new tokens give them again"
    )
    keys = add("secrets", secrets_command, "Show or replace the fleet's keys while it runs.")
    secrets_arguments(keys)
    return top


def up_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``up``: see `parser`."""
    # Its database and store libraries take a second to import: `status` and the others need none.
    from jupyter_ext.fleet.start import bring_up

    told = told_settings(vars(options), os.environ)
    # Report a wrong option before creating anything.
    check_listen(told["listen"] or None)
    refuse_without_effect((load_settings(data_dir) or Settings()).changed(told), told)
    data_dir.create()
    with data_dir.locked():
        kept = load_settings(data_dir)
        wanted = (kept or Settings()).changed(told)
        states = Supervisor(data_dir).states()
        # An `up` that was killed half-way leaves a part of a fleet, which this one completes.
        running = bool(states) and all(state.alive for state in states.values())
        if kept is not None and (states or find_leftovers(data_dir)):
            wanted.refuse_while_running(kept)
        settings = bring_up(data_dir, wanted)
    # Whoever reads the next line may press ^C at once.
    asked = None if options.detach or running else asked_to_end()
    print(f"Jupyter Fleet: {settings.browser_url}/")
    print(_sign_in_line(data_dir, settings), flush=True)
    dropped = dropped_clusters(kept or settings, settings, _kernels_now(data_dir, settings))
    answers = cluster_answers(data_dir, settings)
    room = lack_on_disk(data_dir.store) if settings.bucket is None else ""
    kernel_python = environment("kernel", settings.kernel_env) / "bin" / "python"
    as_root = os.geteuid() == 0
    walls = walls_notices(
        settings.kernel_walls,
        kernel_python,
        as_root=as_root,
        only_user=settings.only_user,
        shown=settings.shown_folders,
    )
    if settings.one_user:
        walls.append(one_user_notice(settings.only_user))
    network = network_notice(settings, kernel_python, data_dir, as_root=as_root)
    about_kernels = [*walls, network]
    about_fleet = [*notices(settings, data_dir), *dropped, *warnings(answers, settings)]
    for line in [*about_fleet, *about_kernels, room]:
        if line:
            print(line, file=sys.stderr)
    return 0 if asked is None else supervise(data_dir, asked)


def _sign_in_line(data_dir: DataDir, settings: Settings) -> str:
    try:
        link = login_link(settings, demo_token(data_dir))
        lasts = duration_text(LINK_SECONDS)
        return f"Sign in as the demo user, once, within {lasts}: {link}"
    except FleetError as error:
        # The fleet runs all the same.
        return f"To sign in: {error}"


def _kernels_now(data_dir: DataDir, settings: Settings) -> list[dict[str, Any]]:
    """The models of all kernels; empty if no gateway says."""
    path = "/api/kernels?personal=all"
    return first_answer(data_dir, settings, "gateway", path, seconds=KERNELS_SECONDS) or []


def asked_to_end() -> threading.Event:
    """Set by ^C, SIGTERM and the terminal's end from now on."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: asked.set())
    return asked


def supervise(data_dir: DataDir, asked: threading.Event) -> int:
    """Wait until `asked` to end, then stop the fleet."""
    supervisor = Supervisor(data_dir)
    while not asked.wait(WATCH_SECONDS):
        if supervisor.pid() is None:
            # Somebody typed `down`; or the supervisor was killed, and the next `up` tidies up.
            print("the fleet no longer has a supervisor", file=sys.stderr)
            return 1
    print("stopping; kernels keep running", file=sys.stderr)
    with data_dir.locked():
        stop(data_dir)
    return 0


def status_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``status``: 0 if the fleet runs, else 1."""
    settings = known_settings(data_dir)
    document = status(data_dir, settings, link=options.token)
    running = document["running"]
    if options.json:
        print(json.dumps(document, indent=2))
    elif running:
        print(as_table(document, settings))
        if "login_url" in document:
            print(f"\nSign in as the demo user, once: {document['login_url']}")
    else:
        print(f"The {not_running(data_dir)}.")
    return 0 if running else 1


def down_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``down``: see `parser`."""
    settings = known_settings(data_dir)
    with data_dir.locked():
        if options.kernels:
            if Supervisor(data_dir).pid() is None:
                raise FleetError(
                    "only a gateway can end kernels, and the fleet is not running: start it "
                    "with `jupyter fleet up --detach` first"
                )
            count = end_kernels(data_dir, settings)
            print(f"{counted(count, 'kernel')} ended")
        print("stopped" if stop(data_dir) else "nothing was running")
    return 0


def kernels_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``kernels``: see `parser`."""
    found = kernels(data_dir, known_settings(data_dir))
    # People read a table in a terminal, programs and files take every line whole.
    table = kernels_table(found, whole=not sys.stdout.isatty())
    print(json.dumps(found, indent=2) if options.json else table)
    return 0


def kernel_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``kernel``: see `parser`."""
    settings = known_settings(data_dir)
    kernel_id = full_id(data_dir, settings, options.kernel_id)
    if options.gone:
        declare_gone(data_dir, settings, kernel_id)
    found = kernel(data_dir, settings, kernel_id)
    print(json.dumps(found, indent=2) if options.json else kernel_text(found))
    return 0


def drain_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``drain``: 0 if no kernel is left at the gateway, else 1."""
    answer = drain(data_dir, known_settings(data_dir), options.gateway, stop=options.stop)
    if options.stop:
        print(f"{options.gateway} accepts kernels again")
        return 0
    left = answer["kernels"]
    print(f"{options.gateway} accepts no more kernels; {counted(left, 'kernel')} still there")
    return 1 if left else 0


def logs_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``logs``: see `parser`."""
    names = sorted(file.stem for file in data_dir.logs.glob("*.log"))
    if not names:
        raise FleetError(f"there are no logs in {data_dir.logs}: start the fleet first")
    if options.name is not None and options.name not in names:
        raise FleetError(f"there is no log of {options.name!r}: use one of {', '.join(names)}")
    files = [data_dir.log(name) for name in ([options.name] if options.name else names)]
    # tail(1) follows a log that is rotated under it.
    follow = ["-F"] if options.follow else []
    os_files: list[str | Path] = [*files]
    return subprocess.run(["tail", "-n", str(LOG_LINES), *follow, "--", *os_files]).returncode


def token_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``token``: see `parser`."""
    known_settings(data_dir)
    print(demo_token(data_dir, options.user, options.project, options.expires))
    return 0


def login_link_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``login-link``: see `parser`."""
    settings = known_settings(data_dir)
    token = demo_token(data_dir, options.user, options.project, options.expires)
    try:
        print(login_link(settings, token))
    except FleetError as error:
        if not Supervisor(data_dir).states():
            raise FleetError(f"the {not_running(data_dir)}") from error
        raise
    return 0


def revoke_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``revoke``: see `parser`."""
    kind = Revoked.PROJECT if options.user is None else Revoked.USER
    name = options.user or options.project
    revoke(data_dir, known_settings(data_dir), kind, name)
    what = "is not accepted" if kind is Revoked.USER else "gives no role there"
    print(f"{kind} {name}: a token that was given until now {what}")
    return 0


def secrets_command(options: argparse.Namespace, data_dir: DataDir) -> int:
    """``secrets``: see `secrets_arguments`."""
    return run_secrets(options, data_dir, known_settings(data_dir))


def known_settings(data_dir: DataDir) -> Settings:
    """The settings of the fleet in ``data_dir``; raises `FleetError` if there is no fleet."""
    settings = load_settings(data_dir)
    if settings is None:
        raise FleetError(
            f"there is no fleet in {data_dir.root}: `jupyter fleet up` creates one; "
            "--data-dir selects another directory"
        )
    return settings


if __name__ == "__main__":
    sys.exit(main())
