"""Proofs that the other end knows the agent's key (docs/protocols.md, "Agent to gateway")."""

import hashlib
import hmac

PROTOCOL = 1


def _proof(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def agent_proof_is_right(key: bytes, kernel_id: str, nonce: str, epoch: int, proof: str) -> bool:
    """Whether `proof` answers the challenge `nonce` of this gateway."""
    expected = _proof(key, f"agent\n{PROTOCOL}\n{kernel_id}\n{nonce}\n{epoch}")
    # As bytes: a str with characters beyond ASCII cannot be compared.
    return hmac.compare_digest(expected.encode(), proof.encode())


def welcome_proof(key: bytes, kernel_id: str, nonce: str, epoch: int) -> str:
    """Proves to the agent that sent `nonce` that it is welcome with `epoch`."""
    return _proof(key, f"welcome\n{kernel_id}\n{nonce}\n{epoch}")


def deleted_proof(key: bytes, kernel_id: str, nonce: str) -> str:
    """Proves to the agent that sent `nonce` that its kernel was deleted."""
    return _proof(key, f"deleted\n{kernel_id}\n{nonce}")
