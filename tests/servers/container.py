"""What a cluster does with a container, on this machine: a process with its own files."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Container:
    """A real process in a folder of its own. There is no file system of its own: paths at which
    files are mounted are replaced, in command and environment, by where they really are."""

    def __init__(
        self,
        python: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        mounts: Mapping[str, Mapping[str, bytes]],
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fleet-pod-", dir="/tmp"))
        places = {}
        for number, (place, files) in enumerate(mounts.items()):
            folder = self.folder / f"mount-{number}"
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            places[place] = str(folder)

        def really(text: str) -> str:
            for place, folder in places.items():
                text = text.replace(place, folder)
            return text

        self._log = self.folder / "log"
        argv = [really(word) for word in command]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [python if argv[0] in ("python", "python3") else argv[0], *argv[1:]],
                cwd=self.folder,
                env={
                    "PATH": f"{Path(python).parent}:/usr/bin:/bin",
                    "HOME": str(self.folder),
                    "FROM_IMAGE": "yes",
                    **{name: really(value) for name, value in environment.items()},
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._process.pid
        # A container's /tmp goes with it.
        documents = [files["start.json"] for files in mounts.values() if "start.json" in files]
        self._temporary = [json.loads(document)["directory"] for document in documents]
        self._grace: threading.Timer | None = None

    @property
    def exit_code(self) -> int | None:
        """As a container runtime tells it (above 128 for a signal), None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        if self._process.poll() is None:
            self._process.terminate()
            self._grace = threading.Timer(grace_seconds, self.kill)
            self._grace.daemon = True
            self._grace.start()

    def freeze(self) -> None:
        """Stops its first process, the agent, as if its machine had no power."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Its first process goes on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all that is in it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def remove(self) -> None:
        """Ends it and removes its folder."""
        self.kill()
        if self._grace is not None:
            self._grace.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in self._temporary:
            shutil.rmtree(self.folder / folder, ignore_errors=True)
