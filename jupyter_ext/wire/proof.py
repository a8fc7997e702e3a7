"""Proofs by which agent and gateway show each other that they know the agent's key.

Every proof binds the other end's nonce, so that none can be used again, and says what it is for,
so that none can be used for something else. The one with which an agent dials comes before the
gateway has said anything: it binds the time, and gateways take it once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

PROTOCOL = 1
"""The protocol's version that agents and gateways of this release speak."""

DIAL_VERSION = 1
"""The version of the value of DIAL_HEADER, which stands first in it."""


def _proof(key: bytes, *fields: object) -> str:
    return hmac.new(
        key, "\n".join(str(field) for field in fields).encode(), hashlib.sha256
    ).hexdigest()


def agent_proof(key: bytes, kernel_id: str, gateway_nonce: str, epoch: int) -> str:
    """What the agent says in its hello, hex."""
    return _proof(key, "agent", PROTOCOL, kernel_id, gateway_nonce, epoch)


def dial_proof(key: bytes, kernel_id: str, when: int, nonce: str) -> str:
    """What the agent says in a header when it dials, hex; `when` is its clock in seconds."""
    return _proof(key, "dial", DIAL_VERSION, kernel_id, when, nonce)


def dial_header(key: bytes, kernel_id: str) -> str:
    """The value of DIAL_HEADER for one connection."""
    when, nonce = int(time.time()), secrets.token_hex(16)
    return f"{DIAL_VERSION} {when} {nonce} {dial_proof(key, kernel_id, when, nonce)}"


def welcome_proof(key: bytes, kernel_id: str, agent_nonce: str, epoch: int) -> str:
    """What a gateway says in its welcome, hex."""
    return _proof(key, "welcome", kernel_id, agent_nonce, epoch)


def deleted_proof(key: bytes, kernel_id: str, agent_nonce: str) -> str:
    """What a gateway says when the kernel's record was deleted, hex."""
    return _proof(key, "deleted", kernel_id, agent_nonce)


def proves(claimed: object, expected: str) -> bool:
    """Whether what the other end sent is the expected proof, in constant time."""
    # As bytes: a str beyond ASCII cannot be compared, and JSON may hold half a character.
    return isinstance(claimed, str) and hmac.compare_digest(
        claimed.encode(errors="replace"), expected.encode()
    )
