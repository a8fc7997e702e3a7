"""Proofs by which agent and gateway show each other that they know the agent's key.

Every proof binds the other end's nonce, so that none can be used again, and says what it is for,
so that none can be used for something else.
"""

from __future__ import annotations

import hashlib
import hmac

PROTOCOL = 1
"""The protocol's version that agents and gateways of this release speak."""


def _proof(key: bytes, *fields: object) -> str:
    return hmac.new(
        key, "\n".join(str(field) for field in fields).encode(), hashlib.sha256
    ).hexdigest()


def agent_proof(key: bytes, kernel_id: str, gateway_nonce: str, epoch: int) -> str:
    """What the agent says in its hello, hex."""
    return _proof(key, "agent", PROTOCOL, kernel_id, gateway_nonce, epoch)


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
