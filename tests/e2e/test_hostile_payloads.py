"""All kinds of what does harm in a stock page, opened or met by another user.

The fleet, its frames and the site of the attacker, which nothing that is secret may reach, have TLS
and names of their own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, expect

from tests.e2e.chromium import launch
from tests.e2e.collector import Collector
from tests.e2e.conftest import OpenPage
from tests.e2e.hostile_kinds import HostileKinds
from tests.e2e.hostile_outputs import NOTHING, clicked, leaving, loads, notebook_of, output
from tests.e2e.kernel_notebook import KernelNotebook, run_cell
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.named_fleet import ELSEWHERE, FRAMES, HOST, NamedFleet
from tests.e2e.profiles import Profiles
from tests.e2e.running_fleet import Files
from tests.servers.certificate import make_certificate

pytestmark = pytest.mark.long

PATIENCE = 60.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_certificate(tmp_path_factory.mktemp("tls"), [HOST, FRAMES, ELSEWHERE])


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[str, str]
) -> Iterator[NamedFleet]:
    fleet = NamedFleet(tmp_path_factory.mktemp("fleet"), certificate)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REQUESTS_CA_BUNDLE", certificate[0])
        try:
            fleet.up()
            yield fleet
        finally:
            fleet.down("--kernels")


@pytest.fixture(scope="module")
def profiles(playwright: Playwright) -> Iterator[Profiles]:
    """Of a browser that takes the certificate, in frames as well."""
    browser = launch(playwright, "--ignore-certificate-errors")
    yield Profiles(browser)
    browser.close()


@pytest.fixture
def site(certificate: tuple[str, str]) -> Iterator[Collector]:
    """Of an attacker, elsewhere."""
    site = Collector(ELSEWHERE, certificate)
    yield site
    site.stop()


@pytest.fixture
def port() -> Iterator[Collector]:
    """Another port of the fleet's own host, where somebody's kernel listens."""
    port = Collector(HOST)
    yield port
    port.stop()


@pytest.fixture
def secret(files: Files) -> tuple[str, str]:
    """A file that bob may read and an attacker may not, and what is in it."""
    path, text = f"demo/secret-{uuid.uuid4().hex[:8]}.txt", f"secret-{uuid.uuid4().hex}"
    files.save(path, {"type": "file", "format": "text", "content": text})
    return path, text


@pytest.fixture
def kinds(fleet: NamedFleet, site: Collector, secret: tuple[str, str]) -> HostileKinds:
    return HostileKinds(f"{fleet.page_url}/api/contents/{secret[0]}", site.url)


@pytest.fixture
def bob(fleet: NamedFleet, signed_in: OpenPage) -> LabPage:
    page = signed_in(fleet.page_url, fleet.token("bob"))
    page.page.set_viewport_size({"width": 1280, "height": 6000})
    return page


def save(files: Files, content: dict[str, Any]) -> str:
    path = f"demo/hostile-{uuid.uuid4().hex[:8]}.ipynb"
    files.save(path, {"type": "notebook", "format": "json", "content": content})
    return path


def settled(page: LabPage) -> None:
    """Whatever outputs do by themselves, they have done when later requests have been answered."""
    for _ in range(3):
        page.page.evaluate("fetch('/api').then(answer => answer.text())")
        page.page.wait_for_load_state("networkidle")


def assert_nothing_told(site: Collector, page: LabPage, secret: tuple[str, str]) -> None:
    """Nothing of the page's user, login or files has come."""
    path, text = secret
    private = [text, path, page.page.url]
    private += [cookie.get("value", "") for cookie in page.page.context.cookies(page.url)]
    for visit in site.visits():
        assert "cookie" not in visit.headers, visit
        assert "authorization" not in visit.headers, visit
        assert not [one for one in private if one and one in visit.text], visit


def told(site: Collector, path: str) -> str:
    """What has come to a path of the site, for the table."""
    visits = [one for one in site.visits() if re.match(rf"{re.escape(path)}(?:[/?]|$)", one.path)]
    if not visits:
        return "nothing came"
    said = {visit.path.partition("?")[2] for visit in visits} - {""}
    return "; ".join(sorted(said)) or "asked for it without cookies"


def show(title: str, rows: dict[str, str]) -> None:
    width = max(len(kind) for kind in rows)
    print(f"\n{title}\n" + "\n".join(f"  {kind:{width}}  {what}" for kind, what in rows.items()))


def test_no_output_of_another_user_reads_sends_or_moves_anything(
    files: Files,
    bob: LabPage,
    kinds: HostileKinds,
    site: Collector,
    port: Collector,
    secret: tuple[str, str],
) -> None:
    by_click, by_script = clicked(f"{site.url}/clicked"), kinds.running()
    silent = kinds.silent()
    loading = {
        **{f"elsewhere/{name}": one for name, one in loads(f"{site.url}/elsewhere").items()},
        **{f"port/{name}": one for name, one in loads(f"{port.url}/port").items()},
    }
    in_markdown = output({"text/markdown": kinds.clicked_in_markdown()})
    outputs = {
        **by_script,
        **by_click,
        "markdown": in_markdown,
        **silent,
        **loading,
        **{f"left/{name}": one for name, one in leaving(f"{site.url}/left").items()},
    }
    path = save(files, notebook_of(outputs, *kinds.cells(), widgets=kinds.widgets()))
    bob.open_without_kernel(path)
    bob.mark()
    address = bob.page.url
    names = list(outputs)
    for name in by_script:
        bob.cell(names.index(name)).scroll_into_view_if_needed()
        wait_for(f"the script of {name}", lambda name=name: site.visits(name), PATIENCE)
    for name in by_click:
        bob.cell(names.index(name)).scroll_into_view_if_needed()
        bob.framed(names.index(name)).locator(".click").click()
        expect(bob.dialog, name).to_have_count(0)
    # A link to elsewhere opens a tab.
    tabs = bob.page.context.pages[1:]
    assert [tab.url for tab in tabs] == [f"{site.url}/clicked/link-top"]
    assert tabs[0].evaluate("window.opener") is None
    tabs[0].close()
    links = bob.cell(names.index("markdown")).locator(".click")
    opened = 0
    for index in range(links.count()):
        if links.nth(index).get_attribute("target") == "_blank":
            with bob.page.context.expect_page() as tab:
                links.nth(index).click()
            tab.value.wait_for_load_state()
            assert tab.value.evaluate("window.opener") is None
            tab.value.close()
            opened += 1
        else:
            links.nth(index).click()
    assert opened == 2
    for index in range(len(outputs)):
        bob.cell(index).scroll_into_view_if_needed()
        expect(bob.cell(index).locator(".jp-OutputArea-output").first).to_be_attached()
    bob.notebook.locator(".jp-RawCell").scroll_into_view_if_needed()
    settled(bob)
    ran = {f"ran/{name}" for name in [*by_script, *silent]}
    paths = [*sorted(ran), *(f"clicked/{name}" for name in by_click), *loading, "left", "ran/cell"]
    show("outputs of another user", {path: told(site, f"/{path}") for path in paths})
    assert bob.page.url == address
    assert not bob.reloaded
    assert "left" not in bob.page.title()
    assert len(bob.page.context.pages) == 1
    assert_nothing_told(site, bob, secret)
    assert port.visits() == []
    # Scripts of others have run, and had nothing to tell.
    said = [one for one in site.visits() if one.path.startswith("/ran/")]
    assert {one.path.partition("?")[2] for one in said} == {NOTHING}
    quiet = set(silent) - {"svg-onload", "data-frame", "data-object"} | {"cell", "widget"}
    assert not {one.kind for one in said} & quiet


def test_what_another_user_puts_into_a_shared_kernel_or_a_notebooks_widgets_does_nothing(
    fleet: NamedFleet,
    files: Files,
    bob: LabPage,
    signed_in: OpenPage,
    kinds: HostileKinds,
    site: Collector,
    secret: tuple[str, str],
    end: Path,
) -> None:
    notebook = KernelNotebook(fleet, files, signed_in, end.parent)
    module = kinds.module("live")
    notebook.save(
        {
            "make": f"import anywidget\nclass W(anywidget.AnyWidget): _esm = {module!r}\nW()",
            "mine": "import ipywidgets; ipywidgets.IntSlider()",
            "hook": "from IPython.display import HTML\n"
            f"html = {'<script>' + kinds.script('formatter') + '</script>'!r}\n"
            "formatter = get_ipython().display_formatter.formatters['text/html']\n"
            "formatter.for_type(int, lambda _: html)",
            "sum": "1 + 1",
        }
    )
    notebook.edit(lambda content: content["metadata"].update(widgets=kinds.widgets()))
    bob.open_path(notebook.path)
    bob.wait_for_kernel()
    ann = signed_in(fleet.page_url, fleet.token("ann"))
    ann.open_path(notebook.path)
    ann.wait_for_kernel()
    run_cell(ann, 0)
    # It runs where its author is, with all rights of the page.
    wait_for("the widget in its author's page", lambda: site.visits("live"), PATIENCE)
    assert [one for one in site.visits("live") if secret[1] in one.text]
    seen = len(site.visits())
    # When a page asks for a widget of the kernel, those of others would be loaded.
    run_cell(bob, 1)
    wait_for("bob's widget", lambda: bob.has_reply(1), PATIENCE)
    settled(bob)
    assert site.visits()[seen:] == []
    run_cell(ann, 2)
    wait_for("the hook", lambda: ann.has_reply(2), PATIENCE)
    run_cell(bob, 3)
    wait_for("bob's sum", lambda: site.visits("formatter"), PATIENCE)
    settled(bob)
    show(
        "widgets of another user",
        {
            "metadata.widgets": told(site, "/ran/widget"),
            "live comm_open": "ran in the page of its author alone",
            "formatter of a shared kernel": told(site, "/ran/formatter"),
        },
    )
    assert {one.kind for one in site.visits()[seen:]} == {"formatter"}
    assert {one.path.partition("?")[2] for one in site.visits("formatter")} == {NOTHING}
    assert site.visits("widget") == []


OWN = {
    "plotly": ("import plotly.express as px\npx.scatter(x=[1, 2], y=[3, 4])", ".js-plotly-plot"),
    "FigureWidget": (
        "import plotly.graph_objects as go\ngo.FigureWidget(data=[go.Bar(y=[1, 2])])",
        ".js-plotly-plot",
    ),
    "bokeh": (
        "from bokeh.io import output_notebook\nfrom bokeh.plotting import figure, show\n"
        "from bokeh.resources import INLINE\noutput_notebook(INLINE)\n"
        "plot = figure(width=200, height=200)\nplot.line([1, 2], [3, 4])\nshow(plot)",
        ".bk-Figure, [data-root-id]",
    ),
    "altair": (
        "import altair\naltair.Chart(altair.Data(values=[{'a': 1}])).mark_bar().encode(x='a:Q')",
        # By JupyterLab, and by nothing from the web.
        ".jp-RenderedVegaCommon5 canvas, .jp-RenderedVegaCommon5 svg",
    ),
    "ipywidgets": ("import ipywidgets\nipywidgets.IntSlider(value=7)", ".noUi-handle"),
    "ipympl": (
        "%matplotlib widget\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        ".jupyter-matplotlib canvas",
    ),
    "anywidget": (
        "import anywidget\nclass W(anywidget.AnyWidget):\n    _esm = "
        "'export default {render({el}) { el.innerHTML = `<b class=own>${self.origin}</b>` }}'\nW()",
        "b.own",
    ),
    "html": (
        "from IPython.display import HTML\nHTML('<p class=own></p><script>"
        'document.querySelector("p.own").textContent = self.origin</script>\')',
        "p.own",
    ),
    "javascript": (
        "from IPython.display import Javascript\n"
        "Javascript('element.innerHTML = `<p class=drawn>x</p>`')",
        "p.drawn",
    ),
}
"""What draws in the page itself for its author, and what it then has."""


def test_outputs_of_the_user_draw_in_the_page_as_in_jupyterlab(
    fleet: NamedFleet, files: Files, signed_in: OpenPage, end: Path
) -> None:
    notebook = KernelNotebook(fleet, files, signed_in, end.parent)
    notebook.save({name: source for name, (source, _) in OWN.items()})
    ann = signed_in(fleet.page_url, fleet.token("ann"))
    ann.page.set_viewport_size({"width": 1280, "height": 6000})
    ann.open_path(notebook.path)
    ann.wait_for_kernel()
    rows = {}
    for index, (name, (_, drawn)) in enumerate(OWN.items()):
        run_cell(ann, index)
        wait_for(f"the reply of {name}", lambda index=index: ann.has_reply(index), PATIENCE)
        expect(ann.cell(index).locator(drawn).first, name).to_be_attached()
        assert ann.cell(index).locator(".jp-fleet-OutputFrame").count() == 0, name
        rows[name] = "drawn in the page"
    show("the user's own", rows)


def test_frames_come_from_their_own_host_which_has_no_login(
    fleet: NamedFleet, files: Files, bob: LabPage, kinds: HostileKinds, site: Collector
) -> None:
    path = save(files, notebook_of({"script": kinds.running()["script"]}))
    bob.open_without_kernel(path)
    wait_for("the script", lambda: site.visits("script"), PATIENCE)
    frame = bob.cell(0).locator("iframe")
    assert frame.get_attribute("src") == f"{fleet.frame_url}/fleet/frame"
    assert bob.page.context.cookies(fleet.frame_url) == []
    answer = bob.page.context.new_page().goto(f"{fleet.frame_url}/lab")
    assert answer is not None
    assert answer.status == 404
    assert "set-cookie" not in answer.all_headers()
