"""What a running lab answers is what its table names."""

import re

import pytest
import requests

from jupyter_ext.auth.routes import ROUTES
from jupyter_ext.platform.route_table import Call, find
from tests.integration.jupyter_ext.auth.lab_routes import (
    METHODS,
    PATHS,
    Answering,
    answering,
    application_of,
)
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

# Not Jupyter's own handlers, which ask the table: they send somewhere else, or give the icon and
# robots.txt to everybody.
REDIRECTS = ("TrailingSlashHandler", "RedirectWithParams", "PublicStaticFileHandler")


@pytest.fixture(scope="module")
def application(bare_labs: Labs) -> list[Answering]:
    return application_of(bare_labs)


def test_each_route_has_a_path_that_is_tried(application: list[Answering]) -> None:
    answered = {answering(application, path) for path in PATHS}
    seen: list[str] = []
    for one in application:
        # Stock routes behind one of ours with the same pattern answer nothing.
        if one.pattern not in seen:
            seen.append(one.pattern)
            assert one in answered or any(re.fullmatch(one.pattern, path) for path in PATHS), one


def test_the_table_names_only_what_is_there(application: list[Answering]) -> None:
    by_name = {one.handler: one for one in application}
    for entry in ROUTES:
        there = by_name.get(entry.handler)
        assert there is not None, entry
        assert entry.socket == there.socket, entry
        assert entry.methods - {"HEAD", "OPTIONS"} <= set(there.methods), entry
        assert any(
            entry.pattern.fullmatch(path) and answering(application, path).handler == entry.handler
            for path in PATHS
        ), entry


def test_what_the_table_does_not_name_is_refused(
    bare_labs: Labs, application: list[Answering]
) -> None:
    owner = bare_labs.client(demo="owner").headers
    tried, answered = 0, []
    for path in PATHS:
        route = answering(application, path)
        if route.handler.rpartition(".")[2] in REDIRECTS:
            continue
        for method in METHODS:
            if find(ROUTES, Call(method, path, route.handler, route.socket)):
                continue
            answer = requests.request(
                method, bare_labs.urls[0] + path, headers=owner, allow_redirects=False, timeout=20
            )
            tried += 1
            if answer.status_code not in (403, 404, 405):
                answered.append((method, path, answer.status_code))
    assert answered == []
    assert tried > 200
