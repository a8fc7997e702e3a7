"""What the supervisor does by itself."""

import asyncio
import json
import signal
import time
from types import SimpleNamespace

import pytest

from jupyter_ext.fleet import health, supervision
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.secret_files import (
    LOOK_SECONDS,
    RENEW_SECONDS,
    SERVICE_TOKEN_SECONDS,
    SecretFiles,
    renewal_is_due,
)
from jupyter_ext.fleet.supervision import Supervision
from jupyter_ext.platform.tokens import TokenVerifier


class Writer:
    """One end of a connection, for `_hold`."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    async def drain(self) -> None:
        pass


@pytest.fixture
def watched(monkeypatch, tmp_path):
    """A supervisor with one program that answers nothing."""
    monkeypatch.setattr(supervision, "REPLACED_SECONDS", 0.0)

    async def silent(url: str) -> bool:
        assert url == "http://127.0.0.1:1/healthz"
        return False

    monkeypatch.setattr(health, "answers_at_all", silent)
    sent: list[signal.Signals] = []
    program = SimpleNamespace(
        name="store",
        pid=17,
        state="running",
        age=10.0,
        starts=1,
        started_with={},
        definition=SimpleNamespace(check_url="http://127.0.0.1:1/healthz"),
        send=sent.append,
    )
    one = Supervision(DataDir.at(tmp_path))
    one._programs["store"] = program
    one._answered["store"] = 17
    return one, sent


def test_a_store_that_hangs_is_killed_after_three_checks(watched):
    one, sent = watched

    async def run():
        for _ in range(health.MISSES):
            assert sent == []
            await one._watch_once()

    asyncio.run(run())
    assert sent == [signal.SIGKILL]


def test_a_store_that_hangs_is_killed_while_up_waits_for_it(watched):
    one, sent = watched

    async def run():
        reader, writer = asyncio.StreamReader(), Writer()
        held = asyncio.ensure_future(one._hold(reader, writer))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert json.loads(writer.lines[0])["programs"][0]["name"] == "store"
        for _ in range(health.MISSES_DURING_CHANGE):
            assert sent == []
            await one._watch_once()
        assert sent == [signal.SIGKILL]
        reader.feed_eof()
        await held

    asyncio.run(run())


def test_a_program_that_has_never_answered_gets_its_time(watched):
    one, sent = watched
    one._answered.clear()

    async def run():
        for _ in range(2 * health.MISSES):
            await one._watch_once()

    asyncio.run(run())
    assert sent == []


def test_tokens_of_servers_live_an_hour_and_are_renewed_before(tmp_path):
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    secrets = SecretFiles(data_dir.secrets)
    secrets.create()
    data_dir.programs.write_text("[]")
    files = {service: secrets.service_token(service) for service in ("lab", "gateway")}
    for file in files.values():
        file.write_text("of long ago")

    async def run():
        one = Supervision(data_dir)
        running = asyncio.ensure_future(one.run())
        while any(file.read_text() == "of long ago" for file in files.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        one._left.set()
        await running

    asyncio.run(run())
    verifier = TokenVerifier(secrets.token_keys)
    for service, file in files.items():
        identity = verifier.verify(file.read_text())
        assert identity.service == service
        assert identity.expires <= time.time() + 3600 + 1
    assert 2 * RENEW_SECONDS < SERVICE_TOKEN_SECONDS


def test_tokens_are_renewed_at_once_after_the_machine_was_suspended(tmp_path, monkeypatch):
    """The clock of timers stood still meanwhile; only the one on the wall went on."""
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    secrets = SecretFiles(data_dir.secrets)
    secrets.create()
    file = secrets.service_token("lab")
    one = Supervision(data_dir)
    awake = time.time()

    async def run():
        await one._renew_once()
        file.write_text("expired meanwhile")
        await one._renew_once()
        assert file.read_text() == "expired meanwhile", "it is not due"
        monkeypatch.setattr(time, "time", lambda: awake + 2 * 3600)
        await one._renew_once()
        assert file.read_text() != "expired meanwhile"

    asyncio.run(run())
    assert LOOK_SECONDS <= 10


@pytest.mark.parametrize(
    ("renewed", "now", "due"),
    [
        (None, 1000.0, True),
        (1000.0, 1000.0, False),
        (1000.0, 1000.0 + RENEW_SECONDS - 1, False),
        (1000.0, 1000.0 + RENEW_SECONDS, True),
        (1000.0, 999.0, True),
    ],
)
def test_when_tokens_are_renewed(renewed, now, due):
    assert renewal_is_due(renewed, now) is due
