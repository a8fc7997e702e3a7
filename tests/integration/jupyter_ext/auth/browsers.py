"""Browsers that have signed in at a lab, without the browser."""

import re
from urllib.parse import urlencode

import requests

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

SESSION = "jupyter-fleet-session"
TYPED = {"Sec-Fetch-Site": "none"}
"""What a browser says of an address that its user has typed, or clicked in another program."""


def token(labs: Labs, user: str = "ada", seconds: float = 3600, **projects: str) -> str:
    return labs.signer.sign(user, projects or {"demo": "owner"}, seconds)


def browser(labs: Labs, *, seconds: float = 3600, url: str = "") -> requests.Session:
    """A browser that has logged in with a link."""
    session = requests.Session()
    link = f"{url or labs.urls[0]}/login?{urlencode({'token': token(labs, seconds=seconds)})}"
    answer = session.get(link, headers=TYPED, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"] == "/lab/tree/demo"
    return session


def sign_in(session: requests.Session, link: str) -> None:
    """What a browser does with a link that its user has clicked."""
    page = session.get(link, headers=TYPED)
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    url, _, _ = link.partition("?")
    answer = session.post(url, data=form, headers={"Origin": url.removesuffix("/login")})
    assert answer.url.endswith("/lab/tree/demo"), answer.text
