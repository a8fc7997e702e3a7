"""Generated calls: paths, queries and bodies that nobody sends by mistake."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from hypothesis import strategies as st

METHODS = st.sampled_from(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OWN = "other"
"""A project of whoever calls; `demo` is not."""

LAB_STARTS = (
    "/api/contents",
    "/api/fleet/versions",
    "/api/fleet/journals",
    "/api/fleet/kernels",
    "/api/fleet/kernelspecs",
    "/api/fleet/launch-choices",
    "/api/fleet/revocations",
    "/api/fleet/sign-in-codes",
    "/api/kernels",
    "/api/kernelspecs",
    "/api/sessions",
    "/kernelspecs",
    "/files",
    "/fleet/frame",
    "/nbconvert/html",
    "/nbconvert/script",
    "/view",
    "/api/notebooks",
    "/lab/tree",
    "/doc/tree",
    "/lab/workspaces",
    "/lab/api/workspaces",
    "/lab/api/settings",
    "/lab/api/translations",
    "/lab/api/themes",
    "/lab/extensions",
    "/static",
    "/api/config",
    "/login",
    "/logout",
    "",
)
GATEWAY_STARTS = (
    "/api/kernels",
    "/api/kernelspecs",
    "/kernelspecs",
    "/api/sessions",
    "/api/swagger.json",
    "/api/fleet/kernels",
    "/api/fleet/kernelspecs",
    "/api/fleet/gateways",
    "/api/fleet/clusters",
    "/api/fleet/leftovers",
    "/api/fleet/pools",
    "",
)
_NAMES = (
    "demo",
    "Demo",
    OWN,
    "secret.txt",
    "secret.ipynb",
    "python",
    "channels",
    "restart",
    "interrupt",
    "owner",
    "events",
    "journal",
    "ticket",
    "gone",
    "drain",
    "launch-options",
    ".",
    "..",
    "...",
    "",
    "%2e%2e",
    "%2E%2e%2f",
    "%252e%252e",
    "demo%2fsecret.txt",
    "demo%5csecret.txt",
    "demo%E2%80%8B",
    "checkpoints",
    "trust",
    "0",
    "%00",
    "%ff",
    "%ed%a0%80",
    "~",
    "*",
    "%0d%0aX: y",
)
_FIELDS = (
    *("path", "type", "format", "content", "name", "raw", "data", "metadata", "copy_from"),
    *("chunk", "base", "save_id", "kernel", "ext", "id", "project", "env", "kernel_id", "options"),
    *("launch", "user", "role", "epoch", "revocation", "notebooks", "hash", "version"),
)


def names(ids: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Parts of paths, among them what is made of real IDs."""
    made = [made for one in ids for made in (one, one.upper(), one[:-1], f"{one}0", f"%20{one}")]
    text = st.text(max_size=12).map(lambda text: quote(text, safe=""))
    return st.one_of(st.sampled_from((*_NAMES, *made, *ids, *ids)), text)


def paths(starts: tuple[str, ...], ids: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Paths that begin like those of routes."""
    return st.builds(
        lambda start, parts: _escaped("/".join((start, *parts))) or "/",
        st.sampled_from(starts),
        st.lists(names(ids), max_size=4),
    )


def queries(ids: tuple[str, ...]) -> st.SearchStrategy[str]:
    """What comes after a question mark."""
    pairs = st.dictionaries(st.sampled_from((*_FIELDS, "token", "fleet_user")), names(ids))
    return pairs.map(
        lambda found: _escaped("&".join(f"{name}={value}" for name, value in found.items()))
    )


def bodies(ids: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """JSON with fields that servers read, and what is no JSON."""
    known = ("demo/secret.txt", "/demo", "../demo", "demo", "file", "notebook", "base64", "python")
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.sampled_from((*known, *ids))
        | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
        max_leaves=8,
    )
    documents = st.dictionaries(st.sampled_from(_FIELDS), values, max_size=6)
    return documents.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40)


def _escaped(text: str) -> str:
    return quote(text, safe="%/.~&=", errors="surrogatepass")


@dataclass
class Answer:
    """A status, and all that can be read of an answer."""

    status: int
    text: str


class Caller:
    """Somebody with a token, on one connection to one server."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, target: str, body: bytes | None = None) -> Answer:
        """Makes a call; again on a new connection if the server has closed this one."""
        try:
            return self._call(method, target, body)
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()
            return self._call(method, target, body)

    def _call(self, method: str, target: str, body: bytes | None) -> Answer:
        self._connection.request(method, target, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")
        return Answer(answer.status, f"{answer.reason}\n{answer.headers}\n{text}")
