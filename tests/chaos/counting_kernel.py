"""A kernel that counts aloud, and who listens to it."""

import asyncio
import json
import random
import uuid

import requests

from jupyter_ext.kernels.json_messages import json_to_v1, v1_to_json
from jupyter_ext.kernels.stream import KernelStream

COUNT = """
import os, sys, threading, time
def count():
    number = 0
    while True:
        number += 1
        sys.stdout.write(f"count {number}\\n")
        sys.stdout.flush()
        time.sleep(0.25)
threading.Thread(target=count, daemon=True).start()
"""
ASK = """
import sys
sys.stdout.write(f'born {get_ipython().kernel.ident} %s\\n')
sys.stdout.flush()
"""

LOOK_SECONDS = 1.5


class CountingKernel:
    """Listens to one kernel as a lab does, and notes each number that is missing or doubled."""

    def __init__(self, kernel_id: str, urls: list[str], headers: dict[str, str]) -> None:
        self.kernel_id = kernel_id
        self.born = ""
        """Names its process: a process id inside its walls is the same in the next one."""
        self.count = 0
        self.violations: list[str] = []
        self.ended: str | None = None
        self._urls = urls
        self._headers = headers
        self._session = uuid.uuid4().hex
        self._listening = False
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._stream = self._new_stream()

    def _new_stream(self) -> KernelStream:
        self.ended = None
        stream = KernelStream(
            resolve=self._owner,
            headers={**self._headers, "X-Fleet-Routing": "direct"},
            kernel_id=self.kernel_id,
            session_id=self._session,
            on_message=self._hear,
            on_closed=self._closed,
            give_up_seconds=600.0,
            ping_seconds=1.0,
        )
        stream.start()
        return stream

    def _closed(self, code: int, reason: str) -> None:
        self.ended = f"{code} {reason}"

    async def _owner(self) -> str:
        return await asyncio.to_thread(self.owner)

    def owner(self) -> str:
        """The owner's URL, from whichever gateway answers; raises LookupError."""
        for url in random.sample(self._urls, len(self._urls)):
            try:
                answer = requests.get(
                    f"{url}/api/fleet/kernels/{self.kernel_id}/owner",
                    headers=self._headers,
                    timeout=LOOK_SECONDS,
                )
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                owner: str = answer.json()["url"]
                return owner
            if answer.status_code == 404:
                self.violations.append(f"{url} says that the kernel does not exist")
        raise LookupError("no gateway knows the owner")

    async def _hear(self, message: bytes) -> None:
        document = json.loads(v1_to_json(message))
        if document["header"]["msg_type"] != "stream":
            return
        for line in document["content"]["text"].splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "count" and self._listening:
                if int(rest) != self.count + 1:
                    self.violations.append(f"after {self.count} it says {rest}")
                self.count = int(rest)
            elif kind == "born":
                born, _, nonce = rest.partition(" ")
                answer = self._answers.pop(nonce, None)
                if answer is not None and not answer.done():
                    answer.set_result(born)

    def _execute(self, code: str) -> None:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "t",
            "version": "5.3",
            "date": "2026-01-01T00:00:00.000000Z",
        }
        content = {"code": code, "silent": False, "store_history": False, "stop_on_error": False}
        request = {"channel": "shell", "header": header, "content": content}
        self._stream.send(json_to_v1(json.dumps(request)))

    async def ask(self, seconds: float) -> str:
        """What names the kernel's process, in its own words; raises TimeoutError."""
        nonce = uuid.uuid4().hex
        answer = self._answers[nonce] = asyncio.get_running_loop().create_future()
        self._execute(ASK % nonce)
        return await asyncio.wait_for(answer, seconds)

    async def begin(self, seconds: float) -> None:
        """Has a fresh kernel count; raises TimeoutError."""
        if self.ended:
            await self._stream.close()
            self._stream = self._new_stream()
        self.born = await self.ask(seconds)
        self.count, self._listening = 0, True
        self._execute(COUNT)

    def expect_a_crash(self) -> None:
        """What it says from now on is not counted until it begins again."""
        self._listening = False

    async def goes_on(self, seconds: float) -> None:
        """Returns when it has counted on and has answered a cell; notes another process. Raises
        TimeoutError."""
        before = self.count
        born = await self.ask(seconds)
        if born != self.born:
            self.violations.append(f"its process was {self.born} and is {born}")
            self.born = born
        deadline = asyncio.get_running_loop().time() + seconds
        while self.count <= before:
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"it says no more after {self.count}")
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Stops listening."""
        await self._stream.close()
