"""No forged or broken token is accepted, and none breaks the server that reads it."""

from pathlib import Path

from jupyter_ext.platform.kernel_tickets import KernelTickets, TicketError
from jupyter_ext.platform.tokens import TokenError, TokenVerifier, create_keys
from tests.unit.jupyter_ext.platform.token_attacks import Attacker


def test_none_of_many_forged_tokens_is_accepted(tmp_path: Path) -> None:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    verifier = TokenVerifier(tmp_path / "jwks.json")
    attacker = Attacker(tmp_path)
    assert verifier.verify(attacker.own).user == "mallory"
    attacks = dict(attacker.all())
    assert len(attacks) >= 150
    accepted = []
    for name, token in attacks.items():
        try:
            verifier.verify(token)
        except TokenError as refused:
            # Nothing of it can be read in the answer.
            if token and token in str(refused):
                accepted.append(f"{name}: told in the answer")
        else:
            accepted.append(name)
    assert accepted == []


def test_none_of_them_is_a_ticket(tmp_path: Path) -> None:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    tickets = KernelTickets(b"the labs' secret")
    accepted = []
    for name, token in Attacker(tmp_path).all():
        try:
            tickets.verify(token)
        except TicketError:
            continue
        accepted.append(name)
    assert accepted == []


def test_none_of_them_breaks_whoever_asks_who_has_signed_it(tmp_path: Path) -> None:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    verifier = TokenVerifier(tmp_path / "jwks.json")
    tickets = KernelTickets(b"the labs' secret")
    signed = []
    attacker = Attacker(tmp_path)
    assert verifier.has_signature(attacker.own)
    for name, token in attacker.all():
        assert not tickets.has_signature(token), name
        if verifier.has_signature(token):
            signed.append(name)
    # Only what the platform's own key has signed, though nobody accepts it.
    claims = {"exp", "nbf", "aud", "sub", "name", "projects", "service", "no", "claims"}
    assert {name.split()[0] for name in signed} == claims
