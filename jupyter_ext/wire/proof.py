"""Proofs with which an agent and a gateway show each other that they know the agent's key.

Every proof includes the other end's nonce, so that it cannot be replayed, and its purpose, so that
it cannot be used for another one. The proof in the header of the agent's first request precedes
any nonce of the gateway: it includes the time, and a gateway accepts it only once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

PROTOCOL = 1
"""The protocol's version that agents and gateways of this release speak."""

DIAL_VERSION = 1
"""The version of DIAL_HEADER's format; the value begins with it."""


def _proof(key: bytes, *fields: object) -> str:
    return hmac.new(
        key, "\n".join(str(field) for field in fields).encode(), hashlib.sha256
    ).hexdigest()


def agent_proof(key: bytes, kernel_id: str, gateway_nonce: str, epoch: int) -> str:
    """The proof in the agent's hello, in hex."""
    return _proof(key, "agent", PROTOCOL, kernel_id, gateway_nonce, epoch)


def dial_proof(key: bytes, kernel_id: str, when: int, nonce: str) -> str:
    """The proof in the header with which the agent connects, in hex; `when` is its clock in
    seconds."""
    return _proof(key, "dial", DIAL_VERSION, kernel_id, when, nonce)


def dial_header(key: bytes, kernel_id: str) -> str:
    """The value of DIAL_HEADER for one connection."""
    when, nonce = int(time.time()), secrets.token_hex(16)
    return f"{DIAL_VERSION} {when} {nonce} {dial_proof(key, kernel_id, when, nonce)}"


def welcome_proof(key: bytes, kernel_id: str, agent_nonce: str, epoch: int) -> str:
    """The proof in a gateway's welcome, in hex."""
    return _proof(key, "welcome", kernel_id, agent_nonce, epoch)


def deleted_proof(key: bytes, kernel_id: str, agent_nonce: str) -> str:
    """The proof in a gateway's answer that the kernel was deleted, in hex."""
    return _proof(key, "deleted", kernel_id, agent_nonce)


def proves(claimed: object, expected: str) -> bool:
    """Whether the other end sent the expected proof; compares in constant time."""
    # As bytes: a str beyond ASCII cannot be compared, and JSON may hold half a character.
    return isinstance(claimed, str) and hmac.compare_digest(
        claimed.encode(errors="replace"), expected.encode()
    )
