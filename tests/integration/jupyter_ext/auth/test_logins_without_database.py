"""Who is signed in goes on for a while when the database is away, at any lab."""

from collections.abc import Iterator

import pytest
import requests

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.jupyter_ext.auth.browsers import SESSION, browser
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.mariadb import MariaDB
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


@pytest.fixture
def labs(seaweedfs: SeaweedFS, own_mariadb: MariaDB) -> Iterator[Labs]:
    with short_folder("fleet-away-") as directory:
        changes = {"JupyterFleet": {"database_url": own_mariadb.create_database()}}
        labs = start_bare_labs(directory, seaweedfs, 2, changes)
        try:
            yield labs
        finally:
            labs.stop()


def test_a_copy_in_the_browser_serves_while_the_database_is_away(
    labs: Labs, own_mariadb: MariaDB
) -> None:
    first, second = labs.urls
    session = browser(labs)
    unseen = {SESSION: browser(labs).cookies[SESSION]}
    own_mariadb.kill()
    # This lab has never seen the login.
    me = session.get(f"{second}/api/me", timeout=30)
    assert me.status_code == 200, me.text
    assert me.json()["identity"]["username"] == "ada"
    for url in (first, second):
        assert session.get(f"{url}/api/me", timeout=30).status_code == 200
    # Without the copy it is nobody's fault: 503, not 401, or pages would ask to sign in again.
    alone = {SESSION: session.cookies[SESSION]}
    unknown = requests.get(f"{second}/api/me", cookies=unseen, timeout=30)
    assert unknown.status_code == 503
    assert requests.get(f"{second}/static/favicons/favicon.ico", cookies=alone, timeout=30).ok
    form = {"_xsrf": session.cookies["_xsrf"]}
    out = session.post(f"{first}/logout", data=form, headers={"Origin": first}, timeout=60)
    assert out.status_code == 503
    assert SESSION in session.cookies, "the login goes on, so its user can end it later"

    own_mariadb.start_again()
    wait_until(
        lambda: (
            session.post(
                f"{first}/logout",
                data=form,
                headers={"Origin": first},
                allow_redirects=False,
                timeout=60,
            ).status_code
            == 303
        ),
        seconds=60,
    )
    wait_until(
        lambda: requests.get(f"{first}/api/contents", cookies=alone, timeout=30).status_code == 401
    )
