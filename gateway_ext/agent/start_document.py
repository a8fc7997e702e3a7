"""The document that tells an agent what to start and which gateways to connect to."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .walls.places import Walls

READ_AT_START = ("PYTHON", "LD_")
"""How variables begin that an interpreter or the linker reads when a program starts, and that can
make it load code."""
_ALSO_READ_AT_START = ("GLIBC_TUNABLES", "LANG", "LC_", "MALLOC_", "TZ")
"""The same of variables that load nothing."""

JOURNAL_DISK_BYTES = 2**30
JOURNAL_COMM_BYTES = 100 * 2**20
"""Of a journal whose start document does not say it, as those of older gateways."""


def claimed_environment(
    present: Mapping[str, str],
    container: Mapping[str, str],
    pooled: Mapping[str, str],
    claimed: Mapping[str, str],
) -> dict[str, str]:
    """The agent's environment after a claim: `present` without what the start document of the pool
    said, over which it has what the kernel's says. `container` is what was there before both."""
    kept = {name: value for name, value in present.items() if name not in pooled}
    said = {name: container[name] for name in pooled if name in container}
    return {**kept, **said, **claimed}


class StartDocumentError(ValueError):
    """The document cannot be used; the message names the field and what it must be."""


@dataclass(frozen=True)
class Packages:
    """The folder of this kernel's packages, and with what they are deleted (empty: never)."""

    folder: Path
    end_with: str


@dataclass(frozen=True)
class StartDocument:
    """What the process proxy passes, checked; see docs/protocols.md."""

    kernel_id: str
    agent_key: bytes
    gateways: tuple[str, ...]
    kernelspec: dict[str, Any]
    kernel_name: str
    resource_dir: str
    directory: Path
    cwd: Path
    journal_memory_bytes: int
    ping_seconds: float
    ping_timeout: float
    orphan_seconds: float
    environment: dict[str, str]
    packages: Packages | None = None
    journal_disk_bytes: int = JOURNAL_DISK_BYTES
    journal_comm_bytes: int = JOURNAL_COMM_BYTES
    memory_bytes: int | None = None
    memory_cgroup: Path | None = None
    keep_process_group: bool = False
    walls: Walls | None = None
    """What the kernel does not see of its machine; None if it has no namespaces of its own."""
    prepared_by: tuple[str | None, ...] = ()
    """The users who may have chosen what its processes do from their start on."""
    pooled: bool = False
    """Whether the kernel is nobody's yet: it is started when a gateway says whose it is."""
    claimed_as: str | None = None
    """The kernel that it has become; the agent goes on connecting under `kernel_id`."""

    def __repr__(self) -> str:
        """Without the key and without any environment."""
        return f"StartDocument(kernel_id={self.kernel_id!r}, kernel_name={self.kernel_name!r})"

    @property
    def argv(self) -> list[str]:
        """The kernelspec's command."""
        return list(self.kernelspec["argv"])

    @property
    def transport(self) -> str:
        """`ipc`, or `tcp` if the kernelspec's metadata asks for it."""
        fleet = (self.kernelspec.get("metadata") or {}).get("fleet") or {}
        return str(fleet.get("transport", "ipc"))

    @property
    def interrupt_mode(self) -> str:
        """`signal` or `message`."""
        return str(self.kernelspec.get("interrupt_mode") or "signal")


def kernelspec_variables(document: StartDocument, environment: Mapping[str, str]) -> dict[str, str]:
    """The kernelspec's `env`, with each ${NAME} from `environment`."""
    return {
        name: string.Template(str(value)).safe_substitute(environment)
        for name, value in (document.kernelspec.get("env") or {}).items()
    }


def needs_new_process(document: StartDocument, started_with: Mapping[str, str]) -> bool:
    """Whether the kernel has variables that a process which was started with that environment, and
    is forked, would ignore."""
    environment = {**started_with, **document.environment}
    environment |= kernelspec_variables(document, environment)
    return any(
        name.startswith(READ_AT_START + _ALSO_READ_AT_START) and started_with.get(name) != value
        for name, value in environment.items()
    )


def parse_start_document(text: str) -> StartDocument:
    """The document in `text`; raises StartDocumentError if something in it cannot be used."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise StartDocumentError(f"the start document is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise StartDocumentError("the start document must be a JSON object")
    spec = _kernelspec(raw)
    gateways = _field(raw, "gateways", list)
    if not gateways or not all(
        isinstance(u, str) and u.startswith(("http://", "https://")) for u in gateways
    ):
        raise StartDocumentError("gateways must be a list of at least one http or https URL")
    try:
        key = bytes.fromhex(_field(raw, "agent_key", str))
    except ValueError as error:
        raise StartDocumentError("agent_key must be hexadecimal") from error
    if len(key) < 16:
        raise StartDocumentError("agent_key must have at least 16 bytes")
    directory = Path.cwd() / _field(raw, "directory", str)
    document = StartDocument(
        kernel_id=_field(raw, "kernel_id", str),
        agent_key=key,
        gateways=tuple(gateways),
        kernelspec=spec,
        kernel_name=_field(raw, "kernel_name", str),
        resource_dir=str(raw.get("resource_dir") or ""),
        directory=directory,
        cwd=_absolute(raw, "cwd") if raw.get("cwd") else Path.cwd(),
        journal_memory_bytes=int(_positive(raw, _memory_field(raw))),
        journal_disk_bytes=_bytes_from_0(raw, "journal_disk_bytes", JOURNAL_DISK_BYTES),
        journal_comm_bytes=_bytes_from_0(raw, "journal_comm_bytes", JOURNAL_COMM_BYTES),
        ping_seconds=_positive(raw, "ping_seconds"),
        ping_timeout=_positive(raw, "ping_timeout"),
        orphan_seconds=_positive(raw, "orphan_seconds"),
        environment=_environment(raw.get("environment") or {}),
        packages=_packages(raw, directory),
        memory_bytes=int(_positive(raw, "memory_bytes")) if raw.get("memory_bytes") else None,
        memory_cgroup=_absolute(raw, "memory_cgroup") if raw.get("memory_cgroup") else None,
        keep_process_group=bool(raw.get("keep_process_group")),
        walls=_walls(raw),
        prepared_by=_users(raw),
        pooled=bool(raw.get("pooled")),
    )
    _check_kernelspec(document)
    return document


def claimed_document(document: StartDocument, late: Any) -> StartDocument:
    """`document` of a kernel that was nobody's, with what a gateway says about it when somebody has
    asked for it; raises StartDocumentError."""
    if not isinstance(late, dict):
        raise StartDocumentError("what a claimed kernel is must be a JSON object")
    claimed = replace(
        document,
        claimed_as=_field(late, "kernel_id", str),
        kernelspec=_kernelspec(late),
        environment=_environment(late.get("environment") or {}),
        orphan_seconds=_positive(late, "orphan_seconds"),
        cwd=_absolute(late, "cwd") if late.get("cwd") else document.cwd,
        prepared_by=_users(late),
        pooled=False,
    )
    _check_kernelspec(claimed)
    return claimed


def _check_kernelspec(document: StartDocument) -> None:
    if document.transport not in ("ipc", "tcp"):
        raise StartDocumentError(
            "kernelspec.metadata.fleet.transport must be ipc or tcp, not " + document.transport
        )
    if document.interrupt_mode not in ("signal", "message"):
        raise StartDocumentError(
            "kernelspec.interrupt_mode must be signal or message, not " + document.interrupt_mode
        )


def _kernelspec(raw: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = _field(raw, "kernelspec", dict)
    argv = spec.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
        raise StartDocumentError("kernelspec.argv must be a list with the kernel's command")
    return spec


def _field(raw: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = raw.get(name)
    if not isinstance(value, kind) or not value:
        raise StartDocumentError(
            f"{name} is missing in the start document, or not a {kind.__name__}"
        )
    return value


def _environment(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in raw.items()
    ):
        raise StartDocumentError("environment must be an object with strings")
    return dict(raw)


def _users(raw: dict[str, Any]) -> tuple[str | None, ...]:
    users = raw.get("prepared_by") or []
    if not isinstance(users, list) or not all(isinstance(one, str | None) for one in users):
        raise StartDocumentError("prepared_by must be a list of names of users, and nulls")
    return tuple(users)


def _packages(raw: dict[str, Any], directory: Path) -> Packages | None:
    if raw.get("packages") is None:
        return None
    packages = _field(raw, "packages", dict)
    folder = _absolute(packages, "folder") if "folder" in packages else directory / "packages"
    return Packages(folder, str(packages.get("end_with") or ""))


def _walls(raw: dict[str, Any]) -> Walls | None:
    # Agents of earlier versions know the first alone.
    name = "walls" if raw.get("walls") is not None else "landlock"
    if raw.get(name) is None:
        return None
    try:
        return Walls.from_json(raw[name], namespaces=name == "walls")
    except ValueError as error:
        raise StartDocumentError(str(error)) from error


def _absolute(raw: dict[str, Any], name: str) -> Path:
    path = Path(_field(raw, name, str))
    if not path.is_absolute():
        raise StartDocumentError(f"{name} must be an absolute path, not {str(path)!r}")
    return path


def _memory_field(raw: dict[str, Any]) -> str:
    """What the field is called: gateways of the version before have the other name."""
    return "journal_memory_bytes" if "journal_memory_bytes" in raw else "journal_bytes"


def _bytes_from_0(raw: dict[str, Any], name: str, default: int) -> int:
    value = raw.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StartDocumentError(f"{name} must be a whole number from 0, not {value!r}")
    return value


def _positive(raw: dict[str, Any], name: str) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise StartDocumentError(f"{name} must be a number above 0, not {value!r}")
    return float(value)
