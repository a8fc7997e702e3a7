"""Nothing that a page sends becomes a path of the lab's host, and no answer names one."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from jupyter_ext.page_config import host_folders
from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.short_folder import short_folder

# A server of its own process, configured as the lab: where its routes begin.
LIST_ROUTES = """
import json, sys
from jupyterlab.labapp import LabApp
from tornado.routing import RuleRouter

def patterns_of(router):
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from patterns_of(rule.target)
        else:
            yield rule.matcher.regex.pattern

server = LabApp.initialize_server(argv=["--ServerApp.port=0"])
json.dump(sorted(set(patterns_of(server.web_app.default_router))), sys.stdout)
"""

SECRET = "the key of the store"
PROJECT = "/api/contents/demo"

# They ask a gateway, which these labs do not have; their own tests are with a gateway.
AT_GATEWAYS = ("/api/kernels", "/api/sessions", "/api/kernelspecs", "/kernelspecs")


@pytest.fixture(scope="module")
def routes(bare_labs: Labs) -> list[str]:
    """Where the routes of a lab begin, up to what the caller chooses."""
    folder = bare_labs.directory / "lab-config-0"
    listed = subprocess.run(
        [sys.executable, "-c", LIST_ROUTES],
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            **{f"JUPYTER_{name}_DIR": str(folder) for name in ("CONFIG", "DATA", "RUNTIME")},
            "AWS_SHARED_CREDENTIALS_FILE": str(bare_labs.store.credentials_file),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        timeout=100,
        check=True,
    )
    starts = {pattern.split("(")[0].rstrip("?$*.") for pattern in json.loads(listed.stdout)}
    return sorted(start for start in starts if start and not start.startswith(AT_GATEWAYS))


@pytest.fixture(scope="module")
def secrets() -> Iterator[Path]:
    """A folder whose files everybody on the host may read."""
    with short_folder("fleet-secrets-") as folder:
        folder.chmod(0o755)
        schema = {"type": "object", "properties": {}, "title": SECRET}
        for name in ("s3.json", "s3.css", "s3.txt", "s3.ipynb", "s3.png"):
            (folder / name).write_text(json.dumps(schema))
        yield folder


class Raw:
    """GETs whose paths nobody tidies up on the way."""

    def __init__(self, url: str, token: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection(self._host, timeout=15)

    def get(self, path: str) -> tuple[int, str]:
        self._connection.request("GET", path, headers=self._headers)
        try:
            answer = self._connection.getresponse()
        except TimeoutError:
            self._connection.close()
            raise AssertionError(f"{path} has no answer") from None
        return answer.status, answer.read().decode(errors="replace")


@pytest.fixture(scope="module")
def lab(bare_labs: Labs) -> Raw:
    return Raw(bare_labs.urls[0], bare_labs.signer.sign("ada", {"demo": "owner"}, 3600))


def names_of(file: Path) -> list[str]:
    """Names that lead to the file, for whoever makes a path of them."""
    up = "../" * 20
    inside = str(file).lstrip("/")
    plain = [
        f"/{inside}",
        f"{up}{inside}",
        f"/{file.parent}:{file.stem}",
        f"{up}{inside.removesuffix(file.suffix)}".replace(f"/{file.stem}", f":{file.stem}"),
        f"x:{up}{inside.removesuffix(file.suffix)}",
        f"x/{up}{inside}",
        f"{inside}\0.png",
        f"..\\..\\{inside}",
        "..",
        "",
    ]
    escaped = [quote(name, safe="") for name in plain]
    return [*(name for name in plain if "\0" not in name), *escaped, "%ff", "%2e%2e/%2e%2e"]


def test_no_route_reads_a_file_of_the_host(routes: list[str], secrets: Path, lab: Raw) -> None:
    assert {"/lab/api/settings/", "/lab/api/themes/", "/static/", "/lab/extensions/"} <= set(routes)
    assert len(routes) > 30
    failures = []
    for start in routes:
        files = ["s3.css"] if "themes" in start else ["s3.json", "s3.txt"]
        for file in files:
            for name in names_of(secrets / file):
                path = f"{start.rstrip('/')}/{name}"
                status, body = lab.get(path)
                if SECRET in body or status >= 500:
                    failures.append((status, path, body[:100]))
    assert not failures


@pytest.mark.parametrize("start", ["/nbconvert/html", "/files", PROJECT, "/api/fleet/versions"])
def test_paths_of_files_lead_to_no_file_of_the_host(start: str, secrets: Path, lab: Raw) -> None:
    for file in ("s3.ipynb", "s3.txt"):
        for name in names_of(secrets / file):
            for path in (f"{start}/{name}", f"{start}/demo/{name}"):
                status, body = lab.get(path)
                assert status < 500, (path, body)
                assert SECRET not in body, path


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)


@pytest.mark.parametrize("page", ["/lab", "/lab/tree/demo", "/doc/tree/demo"])
def test_a_page_names_no_path_of_the_host(page: str, bare_labs: Labs, lab: Raw) -> None:
    status, html = lab.get(page)
    assert status == 200
    start = html.index('id="jupyter-config-data"')
    config = json.loads(html[html.index(">", start) + 1 : html.index("</script>", start)])
    assert config["jupyterFleet"] is True
    assert config["fleetFramesAllOutputs"] is False
    assert config["appUrl"] == "/lab"
    # Its menu entry leads to a route that is refused.
    assert "licensesUrl" not in config
    folders = (*host_folders(), str(bare_labs.directory))
    for name, value in config.items():
        for text in texts_in(value):
            assert not any(folder in text for folder in folders), (name, text)
            # A schema, a folder of static files, … of wherever JupyterLab was installed.
            assert name.endswith(("Url", "Path")) or not Path(text).is_absolute(), (name, text)


@pytest.mark.parametrize(
    "path",
    [
        "/lab/api/settings/@nobody/nothing:x",
        "/lab/api/translations",
        "/lab/api/translations/",
        "/lab/api/translations/en",
        "/lab/api/translations/../..",
        "/lab/api/translations/%00",
        "/lab/api/extensions",
        "/lab/api/plugins",
        "/lab/api/build",
        "/lab/api/listings/x",
        "/lab/api/themes/nothing.css",
        "/lab/nothing",
        "/api/me",
        "/api/config/notebook",
        "/api/nbconvert",
        "/api/resolvePath?path=x.py",
        "/lsp/status",
        "/static/nothing",
    ],
)
def test_no_answer_names_a_path_of_the_host(path: str, bare_labs: Labs, lab: Raw) -> None:
    status, body = lab.get(path)
    assert status < 500
    assert not any(folder in body for folder in (*host_folders(), str(bare_labs.directory))), body
    assert "Traceback" not in body


def test_what_every_page_asks_for_is_answered_as_empty(lab: Raw) -> None:
    status, body = lab.get("/lsp/status")
    assert (status, json.loads(body)) == (200, {"version": 2, "sessions": {}, "specs": {}})
    status, body = lab.get("/api/resolvePath?path=~/.ssh/id_rsa&kernel=x")
    assert (status, json.loads(body)) == (200, {"resolved": []})
    status, body = lab.get("/lab/api/translations/")
    assert status == 200
    assert json.loads(body)["data"]["en"]["nativeName"] == "English"


def test_licenses_are_refused_before_their_pattern_is_compiled(lab: Raw) -> None:
    pattern = quote("(([a-z@/_-]+)+)+!", safe="")
    status, body = lab.get(f"/lab/api/licenses/?bundles={pattern}")
    assert status == 403
    assert "not available" in body
