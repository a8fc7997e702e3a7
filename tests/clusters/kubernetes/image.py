"""Container images without a registry and without a tool that builds any.

A pod's image is a layer of empty folders and Debian's links from /bin and the like into /usr: pods
mount the machine's /usr and the kernels' environment read-only, so nothing is copied.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from platform import machine

PYTHON_IMAGE = "fleet.test/python:1"
PAUSE_IMAGE = "fleet.test/pause:1"
MISSING_IMAGE = "fleet.test/missing:1"
"""Nobody has it: its registry's name does not resolve."""

_FOLDERS = ("usr", "etc", "opt", "home", "root", "var", "var/run", "var/tmp", "proc", "sys", "dev")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LINKS = ("bin", "sbin", "lib", "lib64")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nkernel:x:1000:1000::/home:/bin/sh\n",
    "etc/group": "root:x:0:\nkernel:x:1000:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Layer:
    """One layer: a tar file in memory."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w")  # noqa: SIM115 - closed by `finish`

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Adds an empty folder."""
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(entry)

    def link(self, path: str, target: str) -> None:
        """Adds a symbolic link."""
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Adds a file."""
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), mode
        self._tar.addfile(entry, io.BytesIO(content))

    def finish(self) -> bytes:
        """The tar file."""
        self._tar.close()
        return self._bytes.getvalue()


def python_layer() -> bytes:
    """The image of kernels."""
    layer = Layer()
    for folder in _FOLDERS:
        layer.folder(folder)
    layer.folder("tmp", 0o1777)
    for link in _LINKS:
        layer.link(link, f"usr/{link}")
    for path, text in _ACCOUNTS.items():
        layer.file(path, text.encode())
    return layer.finish()


def pause_layer(program: Path) -> bytes:
    """The image of a pod's sandbox."""
    layer = Layer()
    layer.file("pause", program.read_bytes(), 0o755)
    return layer.finish()


def digest_of(content: bytes) -> str:
    """How registries and containerd name content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def configuration_of(layer: bytes, command: list[str]) -> bytes:
    """The configuration of an image with one layer."""
    return json.dumps(
        {
            "architecture": _ARCHITECTURES.get(machine(), machine()),
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Entrypoint": command},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
            "history": [{}],
        }
    ).encode()


def write_image(archive: Path, name: str, layer: bytes, command: list[str]) -> Path:
    """Writes an archive as `docker save` does, of one image with one layer."""
    configuration = configuration_of(layer, command)
    file = f"{hashlib.sha256(configuration).hexdigest()}.json"
    layer_file = f"{hashlib.sha256(layer).hexdigest()}/layer.tar"
    manifest = [{"Config": file, "RepoTags": [name], "Layers": [layer_file]}]
    members = {
        file: configuration,
        layer_file: layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(archive, "w") as tar:
        for path, content in members.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive
