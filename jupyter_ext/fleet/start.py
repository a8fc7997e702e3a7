"""``jupyter fleet up``: check everything, write what the programs need, start or replace them."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_ext.contents import bucket
from jupyter_ext.database import engine
from jupyter_ext.fleet.advertised_address import addresses_of
from jupyter_ext.fleet.answering import answers, last_words, wait_for
from jupyter_ext.fleet.browser_address import check_listen
from jupyter_ext.fleet.build import installed_build
from jupyter_ext.fleet.certificate import check_certificate
from jupyter_ext.fleet.clusters import find_clusters, with_context
from jupyter_ext.fleet.configuration import (
    Program,
    bucket_environment,
    bucket_url,
    definitions,
    inherited,
    programs,
    store_environment,
)
from jupyter_ext.fleet.data_dir import ROOT_KERNELS, DataDir
from jupyter_ext.fleet.embedded_store import prepare_bucket
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.front_reload import front_workers, wait_for_reload
from jupyter_ext.fleet.fronts import front_config, kernel_front_config
from jupyter_ext.fleet.kept_settings import load_settings, save_settings
from jupyter_ext.fleet.kernel_network import check_kernel_network
from jupyter_ext.fleet.kernel_walls import check_kernel_walls, runs_code_of_one_user
from jupyter_ext.fleet.launch_policy import check_launch_policy
from jupyter_ext.fleet.leftovers import find_leftovers
from jupyter_ext.fleet.ports import FRONT, assign_ports, free_or_held, held_ports
from jupyter_ext.fleet.rollout import rollout
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.self_signed import keep_certificate, names_of_machine
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.store_room import lack_on_disk
from jupyter_ext.fleet.supervisor import Supervisor
from jupyter_ext.fleet.tools import builds, check_kernel_python, find_tools
from jupyter_ext.platform.private_file import write_private

STORE_SECONDS = 45.0


def bring_up(data_dir: DataDir, settings: Settings) -> Settings:
    """Bring up the fleet that ``settings`` describe; returns them with ports when all answer.

    Processes that already match keep running; those with another configuration or build are
    replaced one at a time; programs that lost their supervisor are adopted. If that fails, raises
    `FleetError` and leaves the saved settings as they were; what ran before runs as before, and
    nothing else is left running.
    """
    before = load_settings(data_dir)
    ran = bool(running_programs(data_dir))
    prepared = _prepare(data_dir, settings)
    try:
        _apply(data_dir, prepared)
    except (FleetError, OSError):
        if ran and before is not None and before != settings and running_programs(data_dir):
            # The first replacement that failed stopped the rollout: restore the old configuration.
            with contextlib.suppress(FleetError, OSError):
                _apply(data_dir, _prepare(data_dir, before))
        raise
    return prepared.settings


def running_programs(data_dir: DataDir) -> set[str]:
    """The fleet's programs that are running, supervised or not."""
    states = Supervisor(data_dir).states()
    return {name for name, state in states.items() if state.pid} | {
        one.name for one in find_leftovers(data_dir)
    }


@dataclass(frozen=True)
class _Prepared:
    """Everything that is needed to bring a fleet up, determined before anything is changed."""

    settings: Settings
    """With ports and the environment of the bucket."""
    fleet: list[Program]
    front: str
    """nginx's configuration."""
    kernel_front: str
    """That of the front's listener for kernels."""
    secrets: SecretFiles
    aws: Mapping[str, str]
    python: Path
    """The labs' interpreter, which also runs the supervisor."""


def _prepare(data_dir: DataDir, settings: Settings) -> _Prepared:
    as_root = os.geteuid() == 0
    running = running_programs(data_dir)
    before = load_settings(data_dir) or settings
    tools = find_tools(
        gateway_env=settings.gateway_env,
        kernel_env=settings.kernel_env,
        embedded_store=settings.bucket is None,
    )
    check_kernel_python(tools.kernel_python, as_root=as_root)
    has_walls = check_kernel_walls(settings.kernel_walls, tools.kernel_python, as_root=as_root)
    check_kernel_network(settings, tools.kernel_python, data_dir, as_root=as_root)
    one_user = settings.only_user is not None or runs_code_of_one_user(
        as_root=as_root, has_walls=has_walls, trust_everyone=settings.trust_everyone
    )
    clusters = find_clusters(settings)
    settings = with_context(settings, clusters)
    check_launch_policy(settings.launch_policy)
    check_certificate(settings.tls_cert, settings.tls_key)
    check_listen(settings.listen)
    held = held_ports(running, before.port, before.ports)
    addresses = [] if settings.advertise is None else addresses_of(settings.advertise)
    held_there = held if settings.advertise == before.advertise else ()
    settings = replace(
        settings,
        one_user=one_user,
        ports=assign_ports(
            settings.port_names,
            settings.port,
            settings.ports,
            free_or_held(held),
            advertised=free_or_held(held_there, addresses),
        ),
    )
    if settings.listen is not None and not free_or_held(held, [settings.listen])(settings.port):
        raise FleetError(
            f"port {settings.port} of {settings.listen} is in use by another program: stop that "
            "program, or choose another port with --port"
        )
    if settings.bucket is not None:
        kept = settings.bucket_environment if settings.bucket == before.bucket else {}
        told = {**kept, **bucket_environment(os.environ)}
        settings = replace(settings, bucket_environment=told)
    secrets = SecretFiles(data_dir.secrets)
    secrets.create()
    if settings.self_signed and settings.listen is not None:
        keep_certificate(secrets.front_certificate, names_of_machine(settings.listen))
    if settings.bucket is not None:
        secrets.keep_bucket_credentials(os.environ)
    aws = store_environment(settings, secrets, os.environ)
    _check_urls(settings, aws)
    _make_kernels_folder(data_dir, as_root=as_root)
    front = front_config(tools.front_template.read_text(), settings, data_dir, as_root=as_root)
    kernel_front = kernel_front_config(
        tools.kernel_front_template.read_text(),
        settings,
        data_dir,
        as_root=as_root,
        addresses=addresses,
    )
    build = builds(tools)
    fleet = programs(settings, data_dir, secrets, tools, build, aws, clusters, kernel_front)
    return _Prepared(settings, fleet, front, kernel_front, secrets, aws, tools.lab_python)


def _apply(data_dir: DataDir, prepared: _Prepared) -> None:
    running = running_programs(data_dir)
    with _kept_if_it_works(data_dir, prepared.settings):
        _write_configuration(prepared, data_dir)
        supervisor = Supervisor(data_dir)
        try:
            _have_supervisor(supervisor, prepared.python)
            with supervisor.held():
                _roll_out(supervisor, prepared, data_dir)
        except BaseException:
            if not running:
                supervisor.end()
            raise


def _have_supervisor(supervisor: Supervisor, python: Path) -> None:
    """Make sure that a supervisor of the installed build runs and knows the definitions."""
    build = supervisor.build()
    if build == installed_build(Path(sys.prefix)):
        supervisor.load()
        return
    if build is not None:
        supervisor.leave()
    supervisor.start(python, {"LOGNAME": _user_name(), **inherited(os.environ)})


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # Containers run under ids that nobody has named; Enterprise Gateway asks for a name.
        return str(os.geteuid())


def _check_urls(settings: Settings, aws: Mapping[str, str]) -> None:
    if settings.database is not None:
        try:
            engine.check(settings.database)
        except engine.DatabaseUnavailable as error:
            raise FleetError(f"--database: {error.for_operator}") from error
    if settings.bucket is not None:
        try:
            with _environment(aws):
                bucket.check(bucket_url(settings))
        except bucket.StoreUnavailable as error:
            raise FleetError(f"--bucket: {error.for_operator}") from error


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """boto3 takes its credentials from the environment: let it see what the labs will see."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _make_kernels_folder(data_dir: DataDir, *, as_root: bool) -> None:
    try:
        if as_root:
            # The ids under which kernels run must pass, but not list.
            ROOT_KERNELS.mkdir(mode=0o711, parents=True, exist_ok=True)
        data_dir.kernels.mkdir(mode=0o711 if as_root else 0o700, exist_ok=True)
        if as_root:
            data_dir.kernels.chmod(0o711)
    except OSError as error:
        raise FleetError(
            f"the kernels' folder {data_dir.kernels} cannot be created ({error.strerror}): "
            "make sure that you can create it"
        ) from error


def _write_configuration(prepared: _Prepared, data_dir: DataDir) -> None:
    for program in prepared.fleet:
        if program.role == "lab":
            _write_json(data_dir.lab_config(program.name), program.configuration)
        elif program.role == "gateway":
            _write_json(data_dir.gateway_config(program.name), program.configuration)
    write_private(data_dir.front_config, prepared.front)
    write_private(data_dir.kernel_front_config, prepared.kernel_front)
    _write_json(data_dir.programs, definitions(prepared.fleet, data_dir))


def _remove_configuration_of_others(fleet: list[Program], data_dir: DataDir) -> None:
    """A lab of an earlier, larger fleet leaves no configuration behind."""
    kept = {program.name for program in fleet}
    kept |= {file.name for file in (data_dir.front_config, data_dir.kernel_front_config)}
    kept.add(data_dir.programs.name)
    for one in data_dir.config.iterdir():
        if one.name not in kept:
            shutil.rmtree(one) if one.is_dir() else one.unlink()


def _write_json(file: Path, document: object) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(file, json.dumps(document, indent=2))


@contextlib.contextmanager
def _kept_if_it_works(data_dir: DataDir, settings: Settings) -> Iterator[None]:
    before = load_settings(data_dir)
    save_settings(data_dir, settings)
    try:
        yield
    except BaseException:
        if before is None:
            data_dir.settings.unlink()
        else:
            save_settings(data_dir, before)
        raise


def _roll_out(supervisor: Supervisor, prepared: _Prepared, data_dir: DataDir) -> None:
    settings, fleet, aws = prepared.settings, prepared.fleet, prepared.aws
    token = prepared.secrets.sign_service_token("lab")
    members = {member.name: member for member in settings.members}
    states = supervisor.states()
    running = {name: state.runs for name, state in states.items() if state.alive}
    answering = {
        name for name, member in members.items() if name in running and answers(member, token)
    }
    plan = rollout({program.name: program.runs for program in fleet}, running, answering)

    def wait(names: Iterable[str]) -> None:
        wait_for((members[name] for name in names), supervisor.states, data_dir, token)

    if FRONT in plan.start:
        _note_front(data_dir)
    # Gateways and the front do not need the store; labs look for their bucket when they start.
    supervisor.start_programs(name for name in plan.start if not name.startswith("lab-"))
    if "store" in plan.start:
        _prepare_store(settings, data_dir, aws)
    supervisor.start_programs(plan.start)
    wait(plan.start)
    if any(name.startswith("lab-") for name in plan.start):
        # While an old lab is replaced, the new ones serve its pages.
        _load_front(supervisor, data_dir)
    for name in plan.replace:
        print(f"replacing {name}", file=sys.stderr)
        supervisor.stop_programs([name])
        if name == FRONT:
            _note_front(data_dir)
        supervisor.start_programs([name])
        if name == "store":
            _prepare_store(settings, data_dir, aws)
        wait([name])
    _load_front(supervisor, data_dir)
    for name in plan.stop:
        print(f"stopping {name}", file=sys.stderr)
        supervisor.stop_programs([name])
    _remove_configuration_of_others(fleet, data_dir)
    supervisor.load()
    wait(members)


def _prepare_store(settings: Settings, data_dir: DataDir, aws: Mapping[str, str]) -> None:
    try:
        with _environment(aws):
            prepare_bucket(bucket_url(settings), STORE_SECONDS)
    except bucket.StoreUnavailable as error:
        store = next(member for member in settings.members if member.role == "store")
        words = lack_on_disk(data_dir.store) or last_words(data_dir, store)
        raise FleetError(
            f"the embedded store does not accept data ({error.for_operator}): {words}"
        ) from error


def _load_front(supervisor: Supervisor, data_dir: DataDir) -> None:
    """Have nginx load its configuration if it has changed; returns when nginx uses it.
    Connections stay open."""
    wanted = data_dir.front_config.read_text()
    loaded = data_dir.loaded_front_config
    if not loaded.exists() or loaded.read_text() != wanted:
        before = front_workers(data_dir)
        supervisor.reload_front(FRONT)
        wait_for_reload(data_dir, before)
        _note_front(data_dir)


def _note_front(data_dir: DataDir) -> None:
    write_private(data_dir.loaded_front_config, data_dir.front_config.read_text())
