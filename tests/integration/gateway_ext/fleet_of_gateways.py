"""Real gateways as processes, with real agents and real ipykernels, and stock clients of them."""

import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
import websocket

from gateway_ext.agent.process_tree import descendants
from gateway_ext.agent.walls.first_process import SHOWN
from jupyter_ext.kernels.json_messages import json_to_v1, v1_to_json
from jupyter_ext.platform.encryption import create_keys_file
from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.servers.folder_for_kernels import SHOWN_FOLDERS
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.short_folder import short_folder

REPOSITORY = Path(__file__).parents[3]
GATEWAY_SECRET = "a-secret-of-the-gateway"
V1_PROTOCOL = "v1.kernel.websocket.jupyter.org"


def find_python(variable: str, *beside: Path) -> str:
    """The interpreter of another environment: named by a variable, or found beside ours."""
    named = os.environ.get(variable)
    candidates = [Path(named)] if named else list(beside)
    for candidate in candidates:
        if candidate.exists():
            return str(candidate)
    raise FileNotFoundError(f"set {variable} to a Python: there is none at {candidates}")


def kernel_python() -> str:
    """The Python of the kernels' environment."""
    return find_python(
        "FLEET_KERNEL_PYTHON",
        *sorted(Path("/opt/jupyter-fleet").glob("*/bin/python")),
        Path(sys.prefix).parent / "kernel" / "bin" / "python",
    )


def lab_python() -> str:
    """The Python of the lab's environment."""
    return find_python("FLEET_LAB_PYTHON", Path(sys.prefix).parent / "lab" / "bin" / "python")


def gateway_python() -> str:
    """The Python of the gateway's environment."""
    return find_python(
        "FLEET_GATEWAY_PYTHON", Path(sys.prefix).parent / "gateway" / "bin" / "python"
    )


def copy_agent(directory: Path) -> Path:
    """Copies the agent and the magics: the checkout may be closed to the users under which kernels
    run. Returns what PYTHONPATH must be."""
    code = directory / "code"
    for package in ("gateway_ext", "jupyter_ext"):
        (code / package).mkdir(parents=True)
        shutil.copy(REPOSITORY / package / "__init__.py", code / package)
    for folder in ("gateway_ext/agent", "gateway_ext/kernel_tools", "jupyter_ext/wire"):
        shutil.copytree(REPOSITORY / folder, code / folder)
    return code


def wait_until(condition: Any, seconds: float = 20.0, every: float = 0.05) -> Any:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)


def agents_of(kernel_id: str) -> list[int]:
    """The processes of a kernel's agent."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _reads(process / "environ", f"KERNEL_ID={kernel_id}")
        and _reads(process / "cmdline", "\0gateway_ext.agent\0")
    ]


def kernel_process(kernel_id: str) -> int:
    """The kernel's own process, as its machine numbers it: inside its walls it has another one."""
    (agent,) = agents_of(kernel_id)
    below = [process.pid for process in descendants(agent)]
    # Beside the first process and the way to the internet.
    others = (SHOWN, "pasta\0")
    commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in below}
    return next(pid for pid in below if not any(_reads(commands[pid], one) for one in others))


def kill_container(kernel_id: str) -> float:
    """Kill a kernel and its agent at once; when that was (time.time())."""
    (agent,) = agents_of(kernel_id)
    container = [agent, *(process.pid for process in descendants(agent))]
    # Nobody may say what has become of the other.
    for pid in container:
        os.kill(pid, signal.SIGSTOP)
    killed = time.time()
    for pid in container:
        # Some end with the one before.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return killed


def _reads(file: Path, text: str) -> bool:
    try:
        return text in file.read_text(errors="replace")
    except OSError:
        return False


class Client:
    """A person with a token, at one gateway after the other."""

    def __init__(self, token: str | None) -> None:
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, url: str, *, direct: bool = False, **options: Any) -> Any:
        headers = {**self.headers, **({"X-Fleet-Routing": "direct"} if direct else {})}
        return requests.request(method, url, headers=headers, timeout=90, **options)

    def channels(self, url: str, kernel_id: str, *, v1: bool = False) -> "Channels":
        return Channels(url, kernel_id, self.headers, v1)


class Channels:
    """A bare websocket to a kernel, as a stock client opens it."""

    def __init__(self, url: str, kernel_id: str, headers: dict[str, str], v1: bool) -> None:
        self.session = uuid.uuid4().hex
        self._v1 = v1
        # Frames that came while something else was waited for.
        self._early: deque[str | bytes] = deque()
        self._websocket = websocket.create_connection(
            f"{url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
            f"?session_id={self.session}",
            header=headers,
            subprotocols=[V1_PROTOCOL] if v1 else None,
            timeout=40,
        )
        assert self._websocket.getsubprotocol() == (V1_PROTOCOL if v1 else None)

    def close(self) -> None:
        self._websocket.close()

    def __enter__(self) -> "Channels":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def send(
        self, kind: str, content: dict[str, Any], channel: str = "shell", **metadata: str
    ) -> str:
        """Sends a message; its id."""
        message_id = uuid.uuid4().hex
        header = {
            "msg_id": message_id,
            "username": "t",
            "session": self.session,
            "msg_type": kind,
            "version": "5.3",
            "date": "2026-01-01T00:00:00.000000Z",
        }
        text = json.dumps(
            {
                "channel": channel,
                "header": header,
                "parent_header": {},
                "metadata": metadata,
                "content": content,
                "buffers": [],
            }
        )
        if self._v1:
            self._websocket.send_binary(json_to_v1(text))
        else:
            self._websocket.send(text)
        return message_id

    def wait_at_most(self, seconds: float) -> None:
        """How long `receive` waits from now on."""
        self._websocket.settimeout(seconds)

    def receive(self) -> dict[str, Any]:
        """The next message."""
        frame = self._early.popleft() if self._early else self._websocket.recv()
        assert frame != "", "the websocket was closed"
        if self._v1:
            assert isinstance(frame, bytes)
            frame = v1_to_json(frame)
        message: dict[str, Any] = json.loads(frame)
        return message

    def wait_until_read(self) -> None:
        """Returns when the server has handled all that was sent: it answers a ping in its turn."""
        ping = uuid.uuid4().bytes
        self._websocket.ping(ping)
        while True:
            opcode, data = self._websocket.recv_data(control_frame=True)
            assert opcode != websocket.ABNF.OPCODE_CLOSE, "the websocket was closed"
            if (opcode, data) == (websocket.ABNF.OPCODE_PONG, ping):
                return
            if opcode == websocket.ABNF.OPCODE_TEXT:
                self._early.append(data.decode())
            elif opcode == websocket.ABNF.OPCODE_BINARY:
                self._early.append(data)

    def execute(self, code: str, **metadata: str) -> str:
        """Sends a cell; the id of the request. A page's has a `cellId`."""
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        return self.send("execute_request", {**content, "user_expressions": {}}, **metadata)

    def wait_for_output(self, request: str) -> str:
        """The first text that the cell prints from now on."""
        while True:
            message = self.receive()
            if (
                message["parent_header"].get("msg_id") == request
                and message["header"]["msg_type"] == "stream"
            ):
                return str(message["content"]["text"])

    def finish(self, request: str) -> tuple[str, dict[str, Any]]:
        """What the cell prints from now on, and its reply."""
        text, reply, idle = "", None, False
        while reply is None or not idle:
            message = self.receive()
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                text += content["text"]
            elif kind == "execute_reply":
                reply = content
            elif kind == "status" and content["execution_state"] == "idle":
                idle = True
        return text, reply

    def print_of(self, requests: list[str]) -> list[str]:
        """What cells print that were sent one after the other. Replies and output come on channels
        of their own: a reply may follow output of the next cell."""
        texts, waits = dict.fromkeys(requests, ""), {(r, end) for r in requests for end in "ri"}
        while waits:
            message = self.receive()
            request = message["parent_header"].get("msg_id")
            kind, content = message["header"]["msg_type"], message["content"]
            if request in texts and kind == "stream":
                texts[request] += content["text"]
            elif kind == "execute_reply":
                waits.discard((request, "r"))
            elif kind == "status" and content["execution_state"] == "idle":
                waits.discard((request, "i"))
        return list(texts.values())

    def run(self, code: str) -> str:
        """What a cell prints; it must succeed."""
        text, reply = self.finish(self.execute(code))
        assert reply["status"] == "ok", reply
        return text


class Gateways:
    """Several gateways of one fleet."""

    code = REPOSITORY
    """Where the gateways' own code is."""

    def __init__(
        self,
        directory: Path,
        count: int,
        database_url: str | None = None,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.directory = directory
        self._changes = changes or {}
        directory.chmod(0o711)
        create_keys(directory / "private.pem", directory / "jwks.json")
        create_keys(directory / "stranger.pem", directory / "stranger.json")
        create_keys_file(directory / "encryption.json")
        self.signer = TokenSigner(directory / "private.pem")
        copy_agent(directory)
        self.database_url = database_url or f"sqlite:///{directory}/gateway.sqlite"
        self._write_kernelspec("python", {})
        # As `kernelspecs/python`: stock ipykernel drops what is 1000 messages ahead of its agent.
        lossless = [kernel_python(), "-m", "gateway_ext.agent.python_kernel"]
        self._write_kernelspec("lossless", {}, argv=[*lossless, "-f", "{connection_file}"])
        self._write_kernelspec("missing", {}, argv=["/nowhere/python", "{connection_file}"])
        self._write_kernelspec(
            "stock",
            {
                "class_name": "enterprise_gateway.services.processproxies.processproxy."
                "LocalProcessProxy"
            },
        )
        self._ports: list[int] = []
        self.urls: list[str] = []
        self.processes: list[ServerProcess] = []
        self.add(count)

    def add(self, count: int = 1) -> None:
        """Starts gateways more; returns when each has seen every other."""
        # Before that no agent is told that it may dial them.
        ports = free_ports(count)
        self._ports += ports
        first = len(self.processes)
        self.urls += [
            f"http://{self.address(number)}:{port}" for number, port in enumerate(ports, first)
        ]
        self.processes += [self._start(number) for number in range(first, first + count)]
        for number in range(first, first + count):
            self.wait_for(number)
        owner = self.client()
        for url in self.urls:
            wait_until(
                lambda url=url: (
                    len(owner.call("GET", f"{url}/api/fleet/gateways").json()) == len(self.urls)
                )
            )

    def address(self, number: int) -> str:
        """The address of a gateway's host."""
        return "127.0.0.1"

    def command(self, number: int) -> list[str]:
        """How a gateway is started."""
        begins = (self.code / "gateway_ext" / "__main__.py").exists()
        # In versions before, the application's module is the program.
        return [gateway_python(), "-m", "gateway_ext" if begins else "gateway_ext.app"]

    def _write_kernelspec(
        self, name: str, proxy: dict[str, Any], argv: list[str] | None = None
    ) -> None:
        folder = self.directory / "kernels" / name
        folder.mkdir(parents=True)
        python = [kernel_python(), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {
            "argv": argv or python,
            "display_name": name,
            "language": "python",
            "env": {"PYTHONPATH": str(self.directory / "code"), "FROM_SPEC": "yes"},
            "metadata": {"process_proxy": proxy} if proxy else {},
        }
        (folder / "kernel.json").write_text(json.dumps(spec))

    def settings(self, number: int) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "EnterpriseGatewayApp": {
                "ip": self.address(number),
                "port": self._ports[number],
                "default_kernel_name": "python",
            },
            "FleetGatewayApp": {
                "database_url": self.database_url,
                "gateway_name": f"gateway-{number}",
                "gateway_url": self.urls[number],
                "token_keys_file": str(self.directory / "jwks.json"),
                "encryption_keys_file": str(self.directory / "encryption.json"),
                "kernels_dir": str(self.directory / "k"),
                "agent_command": [kernel_python(), "-m", "gateway_ext.agent"],
                "ping_timeout": 3.0,
                "heartbeat_seconds": 0.5,
                "living_seconds": 3.0,
                "orphan_seconds": 60.0,
                "lost_seconds": 20.0,
                "launch_seconds": 40.0,
                # Tests say at which gateway a kernel is.
                "spread_starts": False,
                "rebalance_seconds": 0.0,
                "shown_folders": list(map(str, SHOWN_FOLDERS)),
            },
            "FleetKernelSpecManager": {
                "kernel_dirs": [str(self.directory / "kernels")],
                "ensure_native_kernel": False,
            },
        }
        for section, values in self._changes.items():
            settings[section] = {**settings.get(section, {}), **values}
        return settings

    def _start(self, number: int) -> ServerProcess:
        folder = self.directory / f"config-{number}"
        folder.mkdir(exist_ok=True)
        file = folder / "jupyter_enterprise_gateway_config.json"
        file.write_text(json.dumps(self.settings(number)))
        return ServerProcess(
            self.command(number),
            self.directory / f"gateway-{number}.log",
            environment={
                **os.environ,
                "PYTHONPATH": str(self.code),
                "JUPYTER_CONFIG_DIR": str(folder),
                "JUPYTER_DATA_DIR": str(folder),
                "JUPYTER_RUNTIME_DIR": str(folder),
                "GATEWAY_SECRET": GATEWAY_SECRET,
            },
            directory=folder,
        )

    def home(self, project: str = "demo") -> Path:
        """The folder in which kernels of a project start, which they see within their walls; it is
        there once one was started."""
        return self.directory / "k" / "projects" / project

    def start_again(self, number: int) -> None:
        """Starts a gateway that has ended, at the same address."""
        self.processes[number] = self._start(number)
        self.wait_for(number)

    def wait_for(self, number: int) -> None:
        """Returns when the gateway answers."""
        client = self.client()

        def answers() -> bool:
            try:
                return client.call("GET", f"{self.urls[number]}/api").status_code == 200
            except requests.ConnectionError:
                return False

        self.processes[number].wait_until(answers)

    def client(self, user: str = "ada", **projects: str) -> Client:
        return Client(self.signer.sign(user, projects or {"demo": "owner"}, 3600))

    def service(self) -> Client:
        """The background work of a gateway or of an operator's command line."""
        return Client(self.signer.sign("gateway", {}, 3600, service="gateway"))

    def events(self, kernel_id: str, number: int) -> list[dict[str, Any]]:
        """What happened to a kernel."""
        url = f"{self.urls[number]}/api/fleet/kernels/{kernel_id}/events"
        events: list[dict[str, Any]] = self.client().call("GET", url).json()["events"]
        return events

    def start_kernel(self, number: int, **body: Any) -> str:
        """Starts a kernel at one gateway; its id."""
        answer = self.client().call("POST", f"{self.urls[number]}/api/kernels", json=body)
        assert answer.status_code == 201, answer.text
        kernel_id: str = answer.json()["id"]
        return kernel_id

    def owner(self, kernel_id: str, number: int = 0) -> str | None:
        """The URL of the owner, as a gateway sees it; None while there is none."""
        url = f"{self.urls[number]}/api/fleet/kernels/{kernel_id}/owner"
        answer = self.client().call("GET", url)
        assert answer.status_code in (200, 503), answer.text
        return answer.json()["url"] if answer.status_code == 200 else None

    def model(self, kernel_id: str, number: int = 0) -> dict[str, Any]:
        """What a gateway says of a kernel."""
        answer = self.client().call("GET", f"{self.urls[number]}/api/kernels/{kernel_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def run_in(self, kernel_id: str, code: str) -> str:
        """What code prints in a kernel."""
        with self.client().channels(self.urls[0], kernel_id) as channels:
            return channels.run(code)

    def log(self, number: int) -> str:
        return (self.directory / f"gateway-{number}.log").read_text()

    def stop(self) -> None:
        """Ends the kernels and the gateways."""
        client = self.client(user="cleaner", demo="owner", other="owner")
        for number, url in enumerate(self.urls):
            try:
                kernels = client.call("GET", f"{url}/api/kernels?personal=all").json()
                for kernel in kernels:
                    client.call("DELETE", f"{url}/api/kernels/{kernel['id']}")
                break
            except requests.RequestException:
                if number == len(self.urls) - 1:
                    raise
        for process in self.processes:
            process.stop()


@contextmanager
def running_gateways(
    database_url: str | None = None,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    count: int = 2,
    kind: type[Gateways] = Gateways,
) -> Iterator[Gateways]:
    """Gateways on a database of their own, or on the one that is named; `changes` are to their
    configuration, `kind` may give them other addresses."""
    with short_folder("fleet-gw-") as directory:
        gateways = kind(directory, count, database_url, changes)
        try:
            yield gateways
        finally:
            gateways.stop()
