"""What a fleet was told and chose, kept over `down` and `up`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.limits import LIMITS, UNLIMITED_BY_0, check_limits
from jupyter_ext.fleet.ports import FRONT
from jupyter_ext.platform.private_file import write_private

FORMAT = 1
STORE_PORTS = ("store-s3", "store-master", "store-volume", "store-filer")
MOST_PROCESSES = 64


@dataclass(frozen=True)
class Member:
    """One process of a fleet."""

    name: str
    role: str
    """``front``, ``lab``, ``gateway`` or ``store``."""
    url: str


@dataclass(frozen=True)
class Settings:
    """One fleet on one machine. ``database`` and ``bucket`` are None for the embedded ones."""

    port: int = 8888
    labs: int = 2
    gateways: int = 2
    database: str | None = None
    bucket: str | None = None
    ports: dict[str, int] = field(default_factory=dict)
    max_kernels: int | None = None
    max_kernels_per_user: int | None = None
    kernel_memory: int | None = None
    """Bytes."""
    cull_idle: int | None = None
    """Seconds, and so is the next."""
    cull_warning: int | None = None

    @property
    def limits(self) -> dict[str, int | None]:
        """What kernels may use; None where nothing was said."""
        return {name: getattr(self, name) for name in LIMITS}

    @property
    def lab_names(self) -> list[str]:
        """Names of the labs, which are also their programs' and logs' names."""
        return [f"lab-{number + 1}" for number in range(self.labs)]

    @property
    def gateway_names(self) -> list[str]:
        """Names of the gateways."""
        return [f"gateway-{number + 1}" for number in range(self.gateways)]

    @property
    def port_names(self) -> list[str]:
        """What needs a port beside the front."""
        store = () if self.bucket else STORE_PORTS
        return [*self.lab_names, *self.gateway_names, *store]

    def url(self, name: str = FRONT) -> str:
        """Address of a program; the front's if nothing is said."""
        port = self.port if name == FRONT else self.ports[name]
        return f"http://127.0.0.1:{port}"

    @property
    def members(self) -> list[Member]:
        """Every process of this fleet, in the order in which they are shown."""
        found = [Member(FRONT, FRONT, self.url())]
        found += [Member(name, "lab", self.url(name)) for name in self.lab_names]
        found += [Member(name, "gateway", self.url(name)) for name in self.gateway_names]
        if self.bucket is None:
            found.append(Member("store", "store", self.url("store-s3")))
        return found

    def changed(self, **wanted: Any) -> Settings:
        """These settings with those of ``wanted`` that are not None; raises `FleetError`."""
        told = {name: value for name, value in wanted.items() if value is not None}
        # A word for "as it was at first", so that a swapped database can be swapped back.
        for name in ("database", "bucket"):
            if told.get(name) == "embedded":
                told[name] = None
        told |= {name: None for name in UNLIMITED_BY_0 if told.get(name) == 0}
        settings = replace(self, **told)
        if not 1 <= settings.port <= 65535:
            raise FleetError(f"--port {settings.port} is not a port: use 1024 to 65535")
        for name in ("labs", "gateways"):
            count = getattr(settings, name)
            if not 1 <= count <= MOST_PROCESSES:
                raise FleetError(f"--{name} {count}: a fleet has 1 to {MOST_PROCESSES} of them")
        check_limits(settings.limits)
        return settings

    def differences(self, **wanted: Any) -> list[str]:
        """In words, what of ``wanted`` these settings are not; URLs without their passwords."""
        asked = self.changed(**wanted)
        return [
            f"{name} {shown(name, getattr(self, name))} instead of"
            f" {shown(name, getattr(asked, name))}"
            for name in ("port", "labs", "gateways", "database", "bucket", *LIMITS)
            if getattr(asked, name) != getattr(self, name)
        ]


def shown(name: str, value: object) -> str:
    """A setting for people to read."""
    return "no limit" if name in LIMITS and value is None else shown_url(value)


def shown_url(value: object) -> str:
    """A setting for people to read: a URL without what its password may be."""
    if value is None:
        return "embedded"
    if not isinstance(value, str):
        return str(value)
    parts = urlsplit(value)
    if parts.password is None:
        return value
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:***@{host}").geturl()


def load_settings(data_dir: DataDir) -> Settings | None:
    """The settings kept in ``data_dir``, None if there are none yet; raises `FleetError`."""
    try:
        document = json.loads(data_dir.settings.read_bytes())
        kept_format = document.pop("format")
        if kept_format > FORMAT:
            raise FleetError(
                f"{data_dir.settings} was written by a newer Jupyter Fleet: use that version"
            )
        return Settings(**document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FleetError(
            f"{data_dir.settings} cannot be read ({error}): restore it, or move it away to have"
            " ports chosen anew"
        ) from error


def save_settings(data_dir: DataDir, settings: Settings) -> None:
    """Keep ``settings`` in ``data_dir``."""
    document = {"format": FORMAT, **asdict(settings)}
    write_private(data_dir.settings, json.dumps(document, indent=2))
