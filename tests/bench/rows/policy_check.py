"""How long a lab and a gateway look at a call before its handler begins: whose it is, and whether
the table of routes has it for them.

Stock servers have neither roles nor such a table, so there is nothing to compare with. A lab knows
a browser's login from its last look-up, as for all but one call in 60 s. A check waits for nothing,
so what is counted is the time of the processor, which other programs do not change.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from gateway_ext.kernels.handlers import routes as gateway_routes
from jupyter_ext.auth import routes as lab_routes
from jupyter_ext.auth.route_policy import Answer, decide
from jupyter_ext.database.engine import Database
from jupyter_ext.logins.logins import Logins
from jupyter_ext.logins.tables import login
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.route_table import Call, Route
from jupyter_ext.platform.tokens import TokenSigner, TokenVerifier, create_keys
from tests.bench.bars import Limit
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.integration.jupyter_ext.auth.lab_routes import METHODS, PATHS
from tests.unit.gateway_ext.kernels.handlers.gateway_paths import PATHS as GATEWAY_PATHS

OURS = "ours"
LAB_TOKEN, LAB_LOGIN, GATEWAY = "lab, token", "lab, browser's login", "gateway, token"
CALLS = 5_000
MOST = 1.0
"""Milliseconds that 99 of 100 calls may take."""
PROJECTS = {f"project-{number}": "editor" for number in range(20)} | {"demo": "owner"}


def calls_of(
    table: tuple[Route, ...], paths: tuple[str, ...], methods: tuple[str, ...]
) -> list[Call]:
    """What a server is asked, also calls that the table does not have."""
    found = []
    for path, method in itertools.product(paths, methods):
        entry = next((one for one in table if one.pattern.fullmatch(path)), None)
        named = (entry.handler, entry.socket) if entry else ("nothing", False)
        found.append(Call(method, path, *named))
    return found


def measure_of(checks: Callable[[], Callable[[int], object]]) -> Measure:
    """Looks at `CALLS` calls: milliseconds of the median one, and of the slowest 1 %."""

    def measure() -> tuple[float, dict[str, float]]:
        check, taken = checks(), []
        for number in range(CALLS):
            begun = time.thread_time()
            check(number)
            taken.append(1000 * (time.thread_time() - begun))
        return statistics.median(taken), {"p99": statistics.quantiles(taken, n=100)[98]}

    return measure


def run(bench: Bench) -> Table:
    """Looks at calls of all kinds, one after the other."""
    folder: Path = bench.directory
    create_keys(folder / "private.pem", folder / "jwks.json")
    create_keys_file(folder / "login_keys.json")
    verifier = TokenVerifier(folder / "jwks.json")
    token = TokenSigner(folder / "private.pem").sign("ada", PROJECTS, 3600)
    database = Database(f"sqlite:///{folder}/lab.sqlite")
    bench.stack.callback(database.close)
    login.create(database.engine, checkfirst=True)
    logins = Logins(database, SecretBox(folder / "login_keys.json"), verifier)
    loop = asyncio.new_event_loop()
    bench.stack.callback(loop.close)
    session_id = loop.run_until_complete(logins.begin(verifier.verify(token)))
    lab_calls = calls_of(lab_routes.ROUTES, PATHS, METHODS)
    gateway_calls = calls_of(gateway_routes.ROUTES, GATEWAY_PATHS, METHODS)

    def by_token(number: int) -> Answer:
        caller = verifier.verify(token)
        return decide(lab_calls[number % len(lab_calls)], caller).answer

    def by_login(number: int) -> Answer:
        # It waits for nothing: the login is known.
        finding = logins.find(session_id, None)
        try:
            finding.send(None)
        except StopIteration as found:
            return decide(lab_calls[number % len(lab_calls)], found.value).answer
        raise AssertionError("the login was read again")

    def at_gateway(number: int) -> bool:
        verifier.verify(token)
        try:
            gateway_routes.named(gateway_calls[number % len(gateway_calls)])
        except gateway_routes.Refusal:
            return False
        return True

    table = Table(
        "Looking at a call", [OURS], OURS, "median ms (lowest..highest)", shows_highest=True
    )
    checks = {LAB_TOKEN: by_token, LAB_LOGIN: by_login, GATEWAY: at_gateway}
    lines = {line: {OURS: measure_of(lambda check=check: check)} for line, check in checks.items()}
    bench.interleave(table, lines)
    return table


def bars(table: Table) -> list[Limit]:
    """It takes less than a millisecond."""
    return [Limit(line, MOST, "p99") for line in (LAB_TOKEN, LAB_LOGIN, GATEWAY)]
