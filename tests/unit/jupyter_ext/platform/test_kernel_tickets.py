"""A ticket is one kernel's, for a while, and no other token of a fleet is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.platform import kernel_tickets as module
from jupyter_ext.platform.kernel_tickets import (
    AUDIENCE,
    MOST_EPOCH,
    TYPE,
    KernelTicket,
    KernelTickets,
    TicketError,
    is_ticket,
)
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import TokenError, TokenSigner, TokenVerifier, create_keys

SECRET = b"a secret that all labs of one fleet share"
TICKET = KernelTicket("k-1", "demo", Role.EDITOR, "ada", "demo/ä.ipynb", "python", 7)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


@given(
    kernel_id=TEXTS.filter(bool),
    username=TEXTS,
    path=TEXTS,
    role=st.sampled_from(Role),
    epoch=st.integers(1, MOST_EPOCH),
)
def test_a_ticket_says_at_every_lab_what_was_issued(**said: Any) -> None:
    ticket = replace(TICKET, **said)
    token = KernelTickets(SECRET).issue(ticket, 60)
    assert is_ticket(token)
    assert KernelTickets(SECRET).verify(token) == ticket


@given(place=st.integers(0), byte=st.integers(1, 255))
def test_a_changed_ticket_is_refused(place: int, byte: int) -> None:
    tickets = KernelTickets(SECRET)
    token = bytearray(tickets.issue(TICKET, 60).encode())
    place %= len(token)
    token[place] = (token[place] ^ byte) & 0x7F
    changed = token.decode()
    try:
        # The last character of a signature has bits that mean nothing.
        assert tickets.verify(changed) == TICKET
        assert changed[:-1] == tickets.issue(TICKET, 60)[:-1]
    except TicketError:
        return


def test_the_ticket_of_another_fleet_is_refused() -> None:
    with pytest.raises(TicketError, match=r"[Ss]ignature"):
        KernelTickets(SECRET).verify(KernelTickets(b"another").issue(TICKET, 60))


def test_a_ticket_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = KernelTickets(SECRET)
    now = module.time.time()
    monkeypatch.setattr(module.time, "time", lambda: now - 61)
    token = tickets.issue(TICKET, 60)
    monkeypatch.undo()
    with pytest.raises(TicketError, match="expired"):
        tickets.verify(token)


def claims(**changes: Any) -> dict[str, Any]:
    token = KernelTickets(SECRET).issue(TICKET, 60)
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("exp", "aud", "sub", "project", "role", "user", "epoch")),
        {"aud": "jupyter-fleet"},
        {"sub": ""},
        {"sub": 5},
        {"project": "../other"},
        {"role": "root"},
        {"user": ["ada"]},
        {"epoch": 0},
        {"epoch": "7"},
        {"epoch": True},
        {"epoch": MOST_EPOCH + 1},
    ],
)
def test_claims_that_no_ticket_has_are_refused_even_when_signed(changes: dict[str, Any]) -> None:
    tickets = KernelTickets(SECRET)
    token = jwt.encode(claims(**changes), tickets._key, "HS256", headers={"typ": TYPE})
    with pytest.raises(TicketError):
        tickets.verify(token)


def test_an_unsigned_ticket_is_refused() -> None:
    token = jwt.encode(claims(), "", "none", headers={"typ": TYPE})
    assert is_ticket(token)
    with pytest.raises(TicketError):
        KernelTickets(SECRET).verify(token)


def test_tickets_and_the_platforms_tokens_are_not_taken_for_each_other(tmp_path: Any) -> None:
    create_keys(tmp_path / "key", tmp_path / "jwks")
    token = TokenSigner(tmp_path / "key").sign("gateway", {}, 60, service="gateway")
    assert not is_ticket(token)
    assert not is_ticket("no token")
    with pytest.raises(TicketError):
        KernelTickets(SECRET).verify(token)
    with pytest.raises(TokenError):
        TokenVerifier(tmp_path / "jwks").verify(KernelTickets(SECRET).issue(TICKET, 60))
    # Not with the secret itself either, which signs cookies.
    forged = jwt.encode({**claims(), "aud": AUDIENCE}, SECRET, "HS256", headers={"typ": TYPE})
    with pytest.raises(TicketError):
        KernelTickets(SECRET).verify(forged)
