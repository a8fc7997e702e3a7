"""The paths of a fleet's files on this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_ext.fleet.failure import FleetError

LONGEST_SOCKET_PATH = 107
"""Bytes of a Unix socket's path on Linux (sun_path), without the closing NUL."""

ROOT_KERNELS = Path("/var/lib/jupyter-fleet")
"""Base of the kernels' folders when root runs the fleet: other users must be able to pass it."""

FIRST_UID = 200_000
UIDS_OF_A_FLEET = 1000
UID_RANGES = 4000

_PLAIN_PATH = re.compile(r"[\w./@+:=,~-]+")


def user_name(uid: int) -> str:
    """What the system calls a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"id {uid}"


@dataclass(frozen=True)
class DataDir:
    """The paths below one ``--data-dir``; creates nothing by itself except in `create`."""

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> DataDir:
        """The data directory at ``path``; raises `FleetError` for a path that cannot serve."""
        root = Path(os.path.abspath(Path(path).expanduser()))
        data_dir = cls(root)
        if not _PLAIN_PATH.fullmatch(str(root)):
            raise FleetError(
                f"the data directory {str(root)!r} has blanks or special characters in its "
                "path: use letters, digits and . _ - + = : , @ ~"
            )
        if len(os.fsencode(data_dir.socket)) > LONGEST_SOCKET_PATH:
            raise FleetError(
                f"the path of the data directory {root} is too long for a Unix socket in it:"
                " choose a shorter one with --data-dir"
            )
        return data_dir

    def refuse_another_users(self) -> None:
        """Raise `FleetError` if the directory belongs to another user and this user, who is not
        root, cannot use it."""
        try:
            owner = self.root.stat().st_uid
        except FileNotFoundError:
            return
        except OSError as error:
            raise FleetError(
                f"the data directory {self.root} cannot be read ({error.strerror}): choose"
                " your own with --data-dir"
            ) from error
        if os.geteuid() not in (0, owner):
            raise FleetError(
                f"the data directory {self.root} belongs to another user ({user_name(owner)}): run"
                " this as that user, or choose your own with --data-dir"
            )

    def create(self) -> None:
        """Make the folders that are missing, with mode 0700; raises `FleetError` if it cannot."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.root.stat().st_uid != os.geteuid():
                raise FleetError(
                    f"the data directory {self.root} belongs to another user: choose your own with"
                    " --data-dir"
                )
            self.root.chmod(0o700)
            for folder in (
                *(self.config, self.secrets, self.logs, self.audit),
                *(self.store, self.front, self.labs),
                self.processes,
            ):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise FleetError(
                f"the data directory {self.root} cannot be created ({error.strerror}): choose "
                "another with --data-dir"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the fleet for one command that changes it; raises `FleetError` if it is locked."""
        with open(self.root / "fleet.lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FleetError(
                    f"another `jupyter fleet` command is running on {self.root}: wait until "
                    "it has finished"
                ) from error
            yield

    @property
    def settings(self) -> Path:
        """Options of `up`, and the ports that it chose; kept when the fleet is down."""
        return self.root / "fleet.json"

    @property
    def socket(self) -> Path:
        """Where the supervisor listens."""
        return self.root / "supervisor.sock"

    @property
    def config(self) -> Path:
        """Configuration of every program, written again by each `up`."""
        return self.root / "config"

    @property
    def programs(self) -> Path:
        """How each program is started, for the supervisor."""
        return self.config / "programs.json"

    @property
    def front_config(self) -> Path:
        """nginx's configuration."""
        return self.config / "nginx.conf"

    @property
    def kernel_front_config(self) -> Path:
        """That of the front's listener for kernels."""
        return self.config / "nginx-kernels.conf"

    @property
    def loaded_front_config(self) -> Path:
        """A copy of the configuration that nginx was last told to read."""
        return self.front / "loaded.conf"

    def lab_config(self, name: str) -> Path:
        """Configuration file of the lab called ``name``."""
        return self.config / name / "jupyter_server_config.json"

    def gateway_config(self, name: str) -> Path:
        """Configuration file of the gateway called ``name``."""
        return self.config / name / "jupyter_enterprise_gateway_config.json"

    @property
    def secrets(self) -> Path:
        """Keys, credentials and service tokens."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One log for each program, and its older parts."""
        return self.root / "logs"

    def log(self, name: str) -> Path:
        """Log of the program called ``name``."""
        return self.logs / f"{name}.log"

    @property
    def audit(self) -> Path:
        """What people did, and what was denied: one file for each lab and gateway."""
        return self.root / "audit"

    def audit_file(self, name: str) -> Path:
        """The events of the server called ``name``, one line of JSON each."""
        return self.audit / f"{name}.jsonl"

    @property
    def store(self) -> Path:
        """The embedded object store's files."""
        return self.root / "store"

    @property
    def front(self) -> Path:
        """nginx's pid and temporary files."""
        return self.root / "front"

    @property
    def processes(self) -> Path:
        """What each process was started with, as recorded by the supervisor."""
        return self.root / "processes"

    @property
    def labs(self) -> Path:
        """Files that Jupyter must write to a local disk; all of them may be lost."""
        return self.root / "labs"

    @property
    def lab_database(self) -> str:
        """URL of the embedded database of labs."""
        return f"sqlite:///{self.root}/lab.sqlite"

    @property
    def gateway_database(self) -> str:
        """URL of the embedded database of gateways: another file, so that labs and gateways do not
        block each other."""
        return f"sqlite:///{self.root}/gateway.sqlite"

    @property
    def kernels(self) -> Path:
        """Base of the kernels' folders; for root outside of the data directory (`ROOT_KERNELS`)."""
        if os.geteuid() != 0:
            return self.root / "kernels"
        return ROOT_KERNELS / self._digits

    @property
    def first_uid(self) -> int:
        """User id of the kernels of the first project, when root runs the fleet.

        It differs for (nearly) every data directory: two fleets on one machine do not know of each
        other, and kernels with the same id could read each other's files.
        """
        return FIRST_UID + UIDS_OF_A_FLEET * (int(self._digits, 16) % UID_RANGES)

    @property
    def _digits(self) -> str:
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]
