"""A revocation reaches every lab, and gateways ask for it."""

import time

import jwt
import pytest
import requests

from jupyter_ext.platform.revocations import Revoked
from jupyter_ext.platform.tokens import REVOCATION_AUDIENCE
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

KNOWN_SECONDS = 5.0


def bearer(labs: Labs, user: str, **projects: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {labs.signer.sign(user, projects, 3600)}"}


def revoke(labs: Labs, kind: Revoked, name: str, number: int = 0) -> requests.Response:
    signed = labs.signer.sign_revocation(kind, name)
    return requests.post(
        f"{labs.urls[number]}/api/fleet/revocations", json={"revocation": signed}, timeout=10
    )


def test_every_lab_refuses_the_tokens_within_five_seconds(bare_labs: Labs) -> None:
    zoe, max_ = bearer(bare_labs, "zoe", demo="owner"), bearer(bare_labs, "max", demo="owner")
    answer = revoke(bare_labs, Revoked.USER, "zoe")
    assert answer.status_code == 201, answer.text
    assert answer.json()["user"] == "zoe"
    began = time.monotonic()
    for url in bare_labs.urls:
        wait_until(lambda url=url: requests.get(f"{url}/api/me", headers=zoe).status_code == 401)
        assert requests.get(f"{url}/api/me", headers=max_).status_code == 200
    assert time.monotonic() - began < KNOWN_SECONDS + 5
    refused = requests.get(f"{bare_labs.urls[1]}/api/contents", headers=zoe)
    assert "withdrawn" in refused.json()["message"]
    # A lab that starts knows it, and a token that is given later is good.
    again = wait_until(
        lambda: (
            requests.get(
                f"{bare_labs.urls[1]}/api/me", headers=bearer(bare_labs, "zoe", demo="owner")
            ).ok
        )
    )
    assert again


def test_a_project_is_nobodys_until_there_are_new_tokens(bare_labs: Labs) -> None:
    headers = bearer(bare_labs, "kim", gone="owner", demo="viewer")
    url = bare_labs.urls[1]
    assert requests.get(f"{url}/api/contents/gone", headers=headers).status_code == 200
    assert revoke(bare_labs, Revoked.PROJECT, "gone").status_code == 201
    wait_until(lambda: requests.get(f"{url}/api/contents/gone", headers=headers).status_code == 404)
    assert requests.get(f"{url}/api/contents/demo", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"revocation": 5}, 400),
        ({"revocation": "nonsense"}, 401),
        ({"user": "ada"}, 400),
    ],
)
def test_who_has_not_the_platforms_key_revokes_nothing(
    bare_labs: Labs, body: object, status: int
) -> None:
    url = f"{bare_labs.urls[0]}/api/fleet/revocations"
    assert requests.post(url, json=body).status_code == status
    own = {"revocation": bare_labs.signer.sign("ada", {"demo": "owner"}, 60)}
    assert requests.post(url, json=own).status_code == 401


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"user": "ada", "iat": int("9" * 400)}, "seconds since 1970"),
        ({"user": "ada", "iat": -1e18}, "seconds since 1970"),
        ({"user": "a\ud800"}, "control characters"),
        ({}, "either a user or a project"),
    ],
)
def test_the_platform_is_told_what_is_wrong_with_what_it_has_signed(
    bare_labs: Labs, claims: dict[str, object], words: str
) -> None:
    now = int(time.time())
    document = {"aud": REVOCATION_AUDIENCE, "iat": now, "exp": now + 60, **claims}
    headers = {"kid": bare_labs.signer.key_id}
    signed = jwt.encode(document, bare_labs.signer._key, algorithm="EdDSA", headers=headers)
    answer = requests.post(
        f"{bare_labs.urls[0]}/api/fleet/revocations", json={"revocation": signed}, timeout=10
    )
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["message"]


def test_gateways_read_them_and_users_do_not(bare_labs: Labs) -> None:
    assert revoke(bare_labs, Revoked.USER, "yan").status_code == 201
    url = f"{bare_labs.urls[0]}/api/fleet/revocations"
    gateway = bare_labs.signer.sign("g", {}, 60, service="gateway")
    found = requests.get(url, headers={"Authorization": f"Bearer {gateway}"})
    assert "yan" in [one.get("user") for one in found.json()["revocations"]]
    for headers in ({}, bearer(bare_labs, "ada", demo="owner")):
        assert requests.get(url, headers=headers).status_code == 403
