from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.e2e.cable import Cable
from tests.e2e.chromium import launch
from tests.e2e.kernel_notebook import KernelNotebook
from tests.e2e.lab_page import LabPage
from tests.e2e.profiles import Profiles
from tests.e2e.running_fleet import Files, Fleet
from tests.e2e.short_journals import write_short_journals
from tests.e2e.slow_kernel import SlowKernel
from tests.servers.folder_for_kernels import folder_for_kernels

ARTIFACTS = Path(__file__).parents[2] / "artifacts"

failed = pytest.StashKey[bool]()

NewPage = Callable[[str], LabPage]
OpenPage = Callable[[str, str], LabPage]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[failed] = True
    return report


@pytest.fixture(scope="session")
def slow_kernel() -> Iterator[SlowKernel]:
    """A kernelspec of the fleet whose kernels start when a test says so."""
    with folder_for_kernels("fleet-slow-") as folder:
        yield SlowKernel(folder)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, slow_kernel: SlowKernel) -> Iterator[Fleet]:
    """One fleet for all tests: each test leaves it whole."""
    write_short_journals(slow_kernel.kernelspecs)
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        fleet.up("--kernelspecs", str(slow_kernel.kernelspecs))
        yield fleet
    finally:
        ARTIFACTS.mkdir(exist_ok=True)
        # Two suites may run at a time.
        (ARTIFACTS / f"e2e-fleet-{fleet.port}.log").write_text(fleet.log())
        fleet.down("--kernels")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """There can be one in a process."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Profiles:
    return Profiles(browser)


@pytest.fixture
def new_page(profiles: Profiles, request: pytest.FixtureRequest) -> Iterator[NewPage]:
    """Make a page of its own browser profile that will show the JupyterLab at an address."""
    opened: list[tuple[BrowserContext, LabPage, list[str]]] = []

    def new_page(url: str) -> LabPage:
        context = profiles.take()
        page = context.new_page()
        console: list[str] = []
        page.on("console", lambda message: console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: console.append(f"error: {error}"))
        lab = LabPage(page, url.rstrip("/"))
        opened.append((context, lab, console))
        return lab

    yield new_page
    for number, (context, lab, console) in enumerate(opened, 1):
        if request.node.stash.get(failed, False):
            ARTIFACTS.mkdir(exist_ok=True)
            name = re.sub(r"[^\w.-]+", "_", request.node.name)
            if not lab.page.is_closed():
                lab.page.screenshot(path=ARTIFACTS / f"{name}-{number}.png")
            (ARTIFACTS / f"{name}-{number}.console.log").write_text("\n".join(console))
            context.close()
        elif lab.clock_is_real:
            profiles.give_back(context)
        else:
            context.close()


@pytest.fixture
def open_page(new_page: NewPage) -> OpenPage:
    """Open JupyterLab in a page of its own, logged in with a token."""

    def open_page(url: str, token: str) -> LabPage:
        lab = new_page(url)
        lab.log_in(token)
        return lab

    return open_page


@pytest.fixture
def signed_in(new_page: NewPage) -> OpenPage:
    """Sign in in a page of its own with a token. JupyterLab is loaded when a path is opened."""

    def signed_in(url: str, token: str) -> LabPage:
        lab = new_page(url)
        lab.sign_in(token)
        return lab

    return signed_in


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Replaces pytest-jupyter's, which closes the event loop that Playwright runs in."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Replaces pytest-jupyter's, which runs that loop; no server lives in these tests' process."""


@pytest.fixture(autouse=True)
def no_kernels_left(fleet: Fleet) -> Iterator[None]:
    yield
    Files(fleet.url, fleet.token("carol", "owner")).delete_kernels()


@pytest.fixture
def files(fleet: Fleet) -> Files:
    return Files(fleet.url, fleet.token("carol"))


@pytest.fixture
def end() -> Iterator[Path]:
    """A file that kernels can see, under whatever user they run; it does not exist yet."""
    with folder_for_kernels("fleet-end-") as folder:
        yield folder / "end"


@pytest.fixture
def notebook(fleet: Fleet, files: Files, signed_in: OpenPage, end: Path) -> KernelNotebook:
    return KernelNotebook(fleet, files, signed_in, end.parent)


@pytest.fixture
def cable(fleet: Fleet) -> Iterator[Cable]:
    """The way to the fleet, which a test cuts."""
    cable = Cable(fleet.url)
    yield cable
    cable.close()


@pytest.fixture
def lab_urls(fleet: Fleet) -> tuple[str, str]:
    """The two labs, past the load balancer."""
    first, second = [lab.url for lab in fleet.processes("lab")]
    assert first
    assert second
    return first, second


@pytest.fixture
def ann(fleet: Fleet, lab_urls: tuple[str, str], signed_in: OpenPage) -> LabPage:
    return signed_in(lab_urls[0], fleet.token("ann"))


@pytest.fixture
def bob(fleet: Fleet, lab_urls: tuple[str, str], signed_in: OpenPage) -> LabPage:
    return signed_in(lab_urls[1], fleet.token("bob"))
