"""Proofs, byte by byte as docs/protocols.md has them."""

import hashlib
import hmac

from jupyter_ext.wire.proof import (
    agent_proof,
    deleted_proof,
    dial_header,
    dial_proof,
    proves,
    welcome_proof,
)


def test_proofs_are_what_the_protocol_says() -> None:
    key = bytes(range(32))

    def expected(text: str) -> str:
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    assert agent_proof(key, "k", "G", 7) == expected("agent\n1\nk\nG\n7")
    for other in (("l", "G", 7), ("k", "H", 7), ("k", "G", 8)):
        assert not proves(agent_proof(key, *other), agent_proof(key, "k", "G", 7))
    assert agent_proof(b"k" * 32, "k", "G", 7) != agent_proof(key, "k", "G", 7)
    assert dial_proof(key, "k", 1790000000, "n") == expected("dial\n1\nk\n1790000000\nn")
    version, when, nonce, proof = dial_header(key, "k").split(" ")
    assert (version, len(nonce)) == ("1", 32)
    assert proof == dial_proof(key, "k", int(when), nonce)
    assert dial_header(key, "k") != dial_header(key, "k")
    assert welcome_proof(key, "k", "A", 8) == expected("welcome\nk\nA\n8")
    assert deleted_proof(key, "k", "A") == expected("deleted\nk\nA")
    assert proves(deleted_proof(key, "k", "A"), deleted_proof(key, "k", "A"))
    for wrong in (
        None,
        5,
        "",
        "é",
        "\ud800",
        deleted_proof(key, "k", "B"),
        welcome_proof(key, "k", "A", 8),
    ):
        assert not proves(wrong, deleted_proof(key, "k", "A"))
