"""While labs are upgraded one by one, nobody is signed out, whichever lab a request goes to."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from jupyter_ext.database.engine import Database
from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY, wait_until
from tests.integration.jupyter_ext.auth.browsers import TYPED
from tests.integration.jupyter_ext.kernels.earlier_version import EarlierLabs
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

NOW, BEFORE = "jupyter-fleet-session", "jupyter-fleet-login"


class LabsWithTokensInCookies(EarlierLabs):
    """Of the last version whose cookie has the token in it."""

    commit = "172f8018"


@pytest.fixture
def labs(seaweedfs: SeaweedFS) -> Iterator[Labs]:
    """Two of them, on one database."""
    with short_folder("fleet-cookies-") as directory:
        create_keys(directory / "private.pem", directory / "jwks.json")
        signer = TokenSigner(directory / "private.pem")
        labs = LabsWithTokensInCookies(directory, signer, ["http://127.0.0.1:1"], seaweedfs, 2)
        try:
            yield labs
        finally:
            labs.stop()


def upgrade(labs: Labs, number: int) -> None:
    labs.code = REPOSITORY
    labs.processes[number].stop()
    labs.start_again(number)


def browser(labs: Labs, number: int, user: str = "ada") -> requests.Session:
    """One that has signed in at this lab."""
    session = requests.Session()
    token = labs.signer.sign(user, {"demo": "owner"}, 3600)
    url = f"{labs.urls[number]}/login?{urlencode({'token': token})}"
    assert session.get(url, headers=TYPED, allow_redirects=False).status_code == 302
    return session


def works_at(labs: Labs, session: requests.Session, number: int) -> bool:
    """Whether a page may read and change."""
    url = labs.urls[number]
    headers = {"Origin": url, "X-XSRFToken": session.cookies.get("_xsrf", "")}
    made = session.post(f"{url}/api/contents/demo", json={"type": "directory"}, headers=headers)
    return session.get(f"{url}/api/me").status_code == 200 and made.status_code == 201


def sign_out(labs: Labs, session: requests.Session, number: int) -> None:
    """At a lab of this version by a form, at one of the version before by a link."""
    url = labs.urls[number]
    if number == 0:
        form = {"_xsrf": session.cookies["_xsrf"]}
        answer = session.post(f"{url}/logout", data=form, headers={"Origin": url})
    else:
        answer = session.get(f"{url}/logout")
    assert answer.status_code == 200, answer.text


def earlier_lab_is_known(labs: Labs) -> bool:
    database = Database(labs.database_url)
    query = "SELECT 1 FROM fleet_lease WHERE name = 'session sweep'"
    try:
        return database.run_blocking(lambda c: c.exec_driver_sql(query).first()) is not None
    finally:
        database.close()


def test_logins_outlive_an_upgrade_and_the_way_to_it(labs: Labs) -> None:
    early = browser(labs, 1)
    early.get(f"{labs.urls[1]}/lab", headers={"Accept": "text/html"})
    assert NOW not in early.cookies
    wait_until(lambda: earlier_lab_is_known(labs))
    upgrade(labs, 0)

    # Signed in at either of the two versions, a page works at both.
    late = browser(labs, 0)
    assert {NOW, BEFORE} <= set(late.cookies.keys())
    for session in (early, late):
        for number in (0, 1, 0, 1):
            assert works_at(labs, session, number), number
    # A page that is opened at a new lab has a login there.
    early.get(f"{labs.urls[0]}/lab", headers={"Accept": "text/html"})
    assert NOW in early.cookies
    for number in (0, 1, 0):
        assert works_at(labs, early, number), number

    # Who signs out at either is out at the labs of this version, also with a cookie that was kept.
    for number in (0, 1):
        gone = browser(labs, 0, "bob")
        kept = gone.cookies.get_dict()
        assert works_at(labs, gone, 0)
        sign_out(labs, gone, number)
        assert not works_at(labs, gone, 0), number
        if number == 0:
            alone = requests.get(f"{labs.urls[0]}/api/contents", cookies={BEFORE: kept[BEFORE]})
            assert alone.status_code == 401
            assert "has ended" in alone.text

    upgrade(labs, 1)
    for session in (early, late):
        for number in (0, 1):
            assert works_at(labs, session, number), number

    # As soon as none of the version before is alive, the token is in no cookie any more.
    database = Database(labs.database_url)
    aged = "UPDATE fleet_lease SET until = '2020-01-01' WHERE name = 'session sweep'"
    database.run_blocking(lambda c: c.exec_driver_sql(aged))
    database.close()
    assert BEFORE not in browser(labs, 0).cookies
    again = late.get(
        f"{labs.urls[1]}/login?" + urlencode({"token": labs.signer.sign("ada", {}, 60)}),
        headers=TYPED,
        allow_redirects=False,
    )
    assert again.status_code == 302
    assert BEFORE not in late.cookies
