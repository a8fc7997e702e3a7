"""Secrets of labs are replaced while labs run."""

import json
import os
from pathlib import Path

import pytest

from jupyter_ext.platform.kernel_tickets import KernelTicket, KernelTickets, TicketError
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.shared_secrets import SharedSecrets, SharedSecretsError

OWN = b"the server's own"
TICKET = KernelTicket("k", "demo", Role.EDITOR, "ada", "demo/a.ipynb", "python", 1)


def test_without_a_file_there_is_the_servers_own_secret() -> None:
    assert SharedSecrets().all(OWN) == (OWN,)


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"keys": [{"id": "cookie_secret"}]}))
    secrets = SharedSecrets(file)
    assert secrets.all(OWN) == (OWN,)
    newer = {"id": "a", "key": "ab" * 32}
    (tmp_path / "new").write_text(json.dumps({"keys": [newer, {"id": "cookie_secret"}]}))
    os.replace(tmp_path / "new", file)
    assert secrets.all(OWN) == (bytes.fromhex("ab" * 32), OWN)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"keys": []}', '{"keys": [{"id": "a"}]}', '{"keys": [{"id": "a", "key": "ab"}]}'],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(content)
    with pytest.raises(SharedSecretsError, match=r"secrets\.json"):
        SharedSecrets(file)


def test_tickets_of_an_older_secret_are_accepted_until_it_is_dropped() -> None:
    old, new = b"o" * 32, b"n" * 32
    issued = KernelTickets(old).issue(TICKET, 60)
    assert KernelTickets(new, old).verify(issued) == TICKET
    assert KernelTickets(old).verify(KernelTickets(old, new).issue(TICKET, 60)) == TICKET
    with pytest.raises(TicketError):
        KernelTickets(new).verify(issued)
    with pytest.raises(TicketError, match="expired"):
        KernelTickets(new, old).verify(KernelTickets(old).issue(TICKET, -60))
