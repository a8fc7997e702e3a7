"""Proofs, against values worked out by hand from docs/protocols.md."""

import hashlib
import hmac

from gateway_ext.kernels.proofs import agent_proof_is_right, deleted_proof, welcome_proof

KEY = bytes(range(32))


def test_proofs_are_those_of_the_protocol() -> None:
    def expected(text: str) -> str:
        return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()

    right = expected("agent\n1\nid\nG\n12")
    assert agent_proof_is_right(KEY, "id", "G", 12, right)
    for kernel_id, nonce, epoch, proof in (
        ("other", "G", 12, right),
        ("id", "H", 12, right),
        ("id", "G", 13, right),
        ("id", "G", 12, right[:-1] + "x"),
        ("id", "G", 12, "é"),
        ("id", "G", 12, ""),
    ):
        assert not agent_proof_is_right(KEY, kernel_id, nonce, epoch, proof)
    assert not agent_proof_is_right(b"k" * 32, "id", "G", 12, right)
    assert welcome_proof(KEY, "id", "A", 3) == expected("welcome\nid\nA\n3")
    assert deleted_proof(KEY, "id", "A") == expected("deleted\nid\nA")
