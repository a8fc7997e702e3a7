"""``jupyter fleet up``: check everything, write what the programs need, start them, wait."""

from __future__ import annotations

import getpass
import json
import os
import resource
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from jupyter_ext.contents import bucket
from jupyter_ext.database import engine
from jupyter_ext.fleet.answering import last_words, wait_for
from jupyter_ext.fleet.configuration import (
    Program,
    bucket_url,
    front_config,
    gateway_config,
    inherited,
    lab_config,
    programs,
    store_environment,
    supervisor_config,
)
from jupyter_ext.fleet.data_dir import ROOT_KERNELS, DataDir
from jupyter_ext.fleet.embedded_store import prepare_bucket
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.ports import assign_ports
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings, load_settings, save_settings
from jupyter_ext.fleet.supervisor import Supervisor
from jupyter_ext.fleet.tools import Tools, check_kernel_python, find_tools
from jupyter_ext.platform.private_file import write_private

STORE_SECONDS = 45.0
OPEN_FILES = 65536


def start(
    data_dir: DataDir, settings: Settings, *, gateway_env: str | None, kernel_env: str | None
) -> Settings:
    """Start the fleet, of which nothing runs, and return when it answers, with its ports chosen.

    Raises `FleetError` for whatever is in the way; then nothing runs and the settings that were
    kept before are kept still.
    """
    as_root = os.geteuid() == 0
    tools = find_tools(
        gateway_env=gateway_env, kernel_env=kernel_env, embedded_store=settings.bucket is None
    )
    check_kernel_python(tools.kernel_python, as_root=as_root)
    data_dir.create()
    settings = replace(
        settings, ports=assign_ports(settings.port_names, settings.port, settings.ports)
    )
    secrets = SecretFiles(data_dir.secrets)
    secrets.create()
    if settings.bucket is not None:
        secrets.keep_bucket_credentials(os.environ)
    aws = store_environment(settings, secrets, os.environ)
    _check_urls(settings, aws)
    _make_kernels_folder(data_dir, as_root=as_root)
    fleet = programs(settings, data_dir, secrets, tools, aws)
    _write_configuration(fleet, settings, data_dir, secrets, tools, as_root=as_root)
    supervisor = Supervisor(data_dir)
    with _kept_if_it_works(data_dir, settings):
        supervisor.start(tools.supervisord, {"LOGNAME": _user_name(), **inherited(os.environ)})
        try:
            token = secrets.service_token("lab").read_text()
            _start_programs(supervisor, fleet, settings, data_dir, token, aws)
        except BaseException:
            supervisor.end()
            raise
    return settings


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


@contextmanager
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
            f"the folder of the kernels {data_dir.kernels} cannot be made ({error.strerror}):"
            " make room for it there"
        ) from error


def _write_configuration(
    fleet: list[Program],
    settings: Settings,
    data_dir: DataDir,
    secrets: SecretFiles,
    tools: Tools,
    *,
    as_root: bool,
) -> None:
    # A lab of an earlier, larger fleet leaves no configuration behind.
    shutil.rmtree(data_dir.config)
    data_dir.config.mkdir(mode=0o700)
    for name in settings.lab_names:
        _write_json(data_dir.lab_config(name), lab_config(name, settings, data_dir, secrets))
    for name in settings.gateway_names:
        document = gateway_config(name, settings, data_dir, secrets, tools)
        _write_json(data_dir.gateway_config(name), document)
    template = tools.front_template.read_text()
    write_private(data_dir.front_config, front_config(template, settings, data_dir))
    # What the machine allows, up to what a busy front needs.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    write_private(
        data_dir.supervisor_config, supervisor_config(fleet, data_dir, open_files, as_root=as_root)
    )


def _write_json(file: Path, document: object) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(file, json.dumps(document, indent=2))


@contextmanager
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


def _start_programs(
    supervisor: Supervisor,
    fleet: list[Program],
    settings: Settings,
    data_dir: DataDir,
    token: str,
    aws: Mapping[str, str],
) -> None:
    names = [program.name for program in fleet]
    # Gateways and the front do not need the store; labs look for their bucket when they start.
    supervisor.start_programs(name for name in names if not name.startswith("lab-"))
    for store in (member for member in settings.members if member.role == "store"):
        try:
            with _environment(aws):
                prepare_bucket(bucket_url(settings), STORE_SECONDS)
        except bucket.StoreUnavailable as error:
            raise FleetError(
                f"the embedded store does not take data ({error.for_operator}): "
                f"{last_words(data_dir, store)}"
            ) from error
    supervisor.start_programs(name for name in names if name.startswith("lab-"))
    wait_for(settings, supervisor.states, data_dir, token)
