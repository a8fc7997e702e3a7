"""What others' outputs can do to the page of a user who has neither run nor trusted them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from jupyter_ext.auth.page_policy import page_policy, script_sources
from jupyter_ext.auth.request_origin import origin_of
from tests.e2e.hostile_outputs import NOTHING, html, notebook_of, output, scripts
from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, run_cell
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet
from tests.servers.scripted_http import ScriptedServer

ShowTo = Callable[[str, dict[str, dict[str, Any]]], LabPage]

VEGA = {
    "data": {"url": "/api/contents/demo", "format": {"property": "content"}},
    "mark": "point",
    "encoding": {"x": {"field": "size"}},
}

FRAME_ALL = """
new MutationObserver((_, watch) => {
  const config = document.querySelector('#jupyter-config-data');
  if (config && config.textContent.trim().endsWith('}')) {
    watch.disconnect();
    const data = JSON.parse(config.textContent);
    config.textContent = JSON.stringify({...data, fleetFramesAllOutputs: true});
  }
}).observe(document, {subtree: true, childList: true});
"""
"""For the page: as if its lab had `JupyterFleet.frame_all_outputs`."""

STRICT = """
if (window === top) new MutationObserver((_, watch) => {
  if (document.head) {
    watch.disconnect();
    const policy = document.createElement('meta');
    policy.httpEquiv = 'Content-Security-Policy';
    policy.content = POLICY;
    document.head.append(policy);
  }
}).observe(document, {subtree: true, childList: true});
"""


@pytest.fixture
def foreign() -> Iterator[ScriptedServer]:
    """A site on another port of the fleet's host, as a kernel could have one."""
    server = ScriptedServer()
    yield server
    server.stop()


@pytest.fixture
def show_to(fleet: Fleet, files: Files, signed_in: Callable[[str, str], LabPage]) -> ShowTo:
    """Save a notebook with outputs, by the names of its cells, and open it as another user."""

    def show_to(user: str, outputs: dict[str, dict[str, Any]]) -> LabPage:
        path = f"demo/outputs-{uuid.uuid4().hex[:8]}.ipynb"
        content = notebook_of(outputs)
        files.save(path, {"type": "notebook", "format": "json", "content": content})
        page = signed_in(fleet.url, fleet.token(user))
        page.page.set_viewport_size({"width": 1280, "height": 2400})
        page.open_without_kernel(path)
        return page

    return show_to


def test_scripts_of_others_run_and_reach_nothing(show_to: ShowTo, fleet: Fleet) -> None:
    outputs = scripts(fleet.url)
    page = show_to("bob", outputs)
    page.mark()
    for index, name in enumerate(outputs):
        found = page.framed(index).locator(".found")
        expect(found, name).to_have_text(NOTHING)
    assert not page.reloaded
    assert len(page.page.context.pages) == 1


def test_what_may_hold_anything_is_text_until_it_is_trusted(show_to: ShowTo, fleet: Fleet) -> None:
    asked: list[str] = []
    outputs = {
        "vega": output({"application/vnd.vegalite.v5+json": VEGA}),
        "mermaid": output({"text/vnd.mermaid": "graph TD; a-->b"}),
        "widget": output({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}),
        "unknown": output({"application/x.unknown+json": {}}),
        "json": output({"application/json": {"a": {"b": 1}}}),
        "only": {
            "output_type": "display_data",
            "data": {"application/vnd.vegalite.v5+json": VEGA},
            "metadata": {},
        },
    }
    page = show_to("bob", outputs)
    page.page.on("request", lambda request: asked.append(request.url))
    for index in (0, 1, 2, 3):
        expect(page.cell(index).locator(".jp-OutputArea-output pre")).to_have_text("in words")
    for index, name in ((0, "application/vnd.vegalite.v5+json"), (1, "text/vnd.mermaid")):
        note = page.cell(index).locator(".jp-fleet-OutputNote")
        expect(note).to_contain_text(f"Shown as text: {name} is drawn only in a notebook that you")
    expect(page.cell(4).locator(".jp-RenderedJSON")).to_be_visible()
    expect(page.cell(5).locator(".jp-OutputArea-output")).to_contain_text(
        re.compile(r"Shown as text: application/vnd.vegalite.v5\+json .*/api/contents/demo", re.S)
    )
    assert not [url for url in asked if url.endswith("/api/contents/demo")]


def test_a_notebook_opens_whatever_the_types_of_its_outputs_are_called(
    notebook: KernelNotebook,
) -> None:
    data = {"text/plain": "in words", "constructor": "x", "toString": "x"}
    live = {"text/plain": "live", "constructor": "x"}
    notebook.save({"saved": "1", "live": f"display({live}, raw=True)"})
    saved = {"output_type": "display_data", "data": data, "metadata": {"constructor": {}}}
    notebook.edit(lambda content: content["cells"][0].update(outputs=[saved]))
    page = notebook.open("bob")
    expect(page.cell(0).locator(".jp-OutputArea-output")).to_have_text("in words")
    run_cell(page, 1)
    expect(page.cell(1).locator(".jp-OutputArea-output")).to_have_text("live")
    page.save()
    # Nothing of it is lost.
    wait_for("the save", lambda: notebook.cells()[1]["outputs"], PATIENCE)
    first, second, _ = notebook.cells()
    assert first["outputs"] == [saved]
    assert second["outputs"][0]["data"] == live


def test_an_output_whose_library_another_one_loads_says_why_it_does_not_work(
    show_to: ShowTo,
) -> None:
    script = {"application/javascript": "", "application/vnd.bokehjs_exec.v0+json": ""}
    bundle = {"output_type": "display_data", "data": script, "metadata": {}}
    lacks = "<script>missing.draw()</script><script>missing.drawAgain()</script>"
    rejects = "<script>Promise.reject(new Error('<b>no</b>'))</script>"
    page = show_to(
        "bob",
        {
            "bokeh": bundle,
            "html": html("<script></script>"),
            "lacks": html(lacks),
            "rejects": html(rejects),
        },
    )
    note = page.page.locator(".jp-fleet-OutputNote")
    # Of each frame the first failure, in the script's own words.
    expect(note).to_contain_text(
        ["Trust Notebook", "missing is not defined", '"Error: <b>no</b>". If it needs a library']
    )
    assert page.cell(1).locator(".jp-fleet-OutputNote").count() == 0
    page.trust()
    expect(note).to_have_count(0)


def test_trust_draws_them_as_jupyterlab_does(show_to: ShowTo) -> None:
    script = "document.querySelector('#said').textContent = self.origin"
    page = show_to("bob", {"html": html(f"<b id=said>nothing</b><script>{script}</script>")})
    expect(page.framed(0).locator("#said")).to_have_text("null")
    expect(page.cell(0).locator("#said")).to_have_count(0)
    page.trust()
    expect(page.cell(0).locator("#said")).to_have_text(re.compile("^http"))
    expect(page.cell(0).locator("iframe")).to_have_count(0)


def test_a_frame_is_as_high_as_its_output_and_no_higher_than_a_bound(show_to: ShowTo) -> None:
    tall = "<script>parent.postMessage({height: 90000}, '*')</script><div style='height:90000px'>"
    outputs = {
        "some": html("<div style='height: 700px'>x</div>"),
        "absolute": html("<div style='position: absolute; height: 300px'>x</div>"),
        "tall": html(tall),
    }
    page = show_to("bob", outputs)
    for index, expected in enumerate((700, 300, 6000)):
        frame = page.cell(index).locator("iframe")
        expect(frame).to_have_css("height", f"{expected}px")


def test_links_open_in_a_tab_but_nothing_on_the_fleets_own_host(
    show_to: ShowTo, fleet: Fleet, foreign: ScriptedServer
) -> None:
    elsewhere = foreign.url.replace("127.0.0.1", "localhost")
    outputs = {
        "links": html(
            f"<a id=own target=_top href='{foreign.url}/own'>own</a> "
            f"<a id=script href='javascript:parent.x=1'>script</a> "
            f"<a id=out target=_top href='{elsewhere}/out'>out</a>"
            f"<form action='{foreign.url}/form' method=post><button id=send>send</button></form>"
        )
    }
    page = show_to("bob", outputs)
    page.mark()
    links = page.framed(0)
    links.locator("#own").click()
    links.locator("#script").click()
    links.locator("#send").click()
    with page.page.context.expect_page() as opened:
        links.locator("#out").click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("window.opener") is None
    assert {request.path for request in foreign.requests} <= {"/out", "/favicon.ico"}
    assert all("cookie" not in request.headers for request in foreign.requests)
    assert not page.reloaded
    expect(links.locator("#out")).to_be_visible()


def test_a_frame_opens_no_tab_when_its_user_clicks_elsewhere(
    show_to: ShowTo, foreign: ScriptedServer
) -> None:
    elsewhere = foreign.url.replace("127.0.0.1", "localhost")
    script = "setInterval(() => {focus(); link.click(); tries.textContent++}, 50)"
    shown = f"<a id=link href='{elsewhere}/out'>out</a> <b id=tries>0</b><script>{script}</script>"
    page = show_to("bob", {"opens": html(shown)})
    tries = page.framed(0).locator("#tries")
    expect(tries).not_to_have_text("0")

    def tries_after_click() -> int:
        page.page.locator(".jp-NotebookPanel-toolbar").click(position={"x": 1, "y": 1})
        return int(tries.inner_text())

    first_click = tries_after_click()
    # Chromium takes what a test asks a page for its user's will: some may be open already.
    before = len(page.page.context.pages)
    wait_for("tries after a click", lambda: tries_after_click() > first_click + 10, 60)
    assert len(page.page.context.pages) == before


def test_images_of_others_send_nothing_to_a_port_of_the_fleets_host(
    show_to: ShowTo, foreign: ScriptedServer
) -> None:
    outputs = {
        "image": html(
            f"<img src='{foreign.url}/img' onerror='this.alt=\"refused\"'>"
            f"<p style='background-image: url({foreign.url}/css)'>text</p>"
        ),
    }
    page = show_to("bob", outputs)
    expect(page.framed(0).locator("img[alt=refused]")).to_have_count(1)
    expect(page.framed(0).locator("p")).to_be_visible()
    page.trust()
    expect(page.cell(0).locator("img[alt=refused]")).to_have_count(1)
    assert foreign.requests == []


def test_files_that_may_hold_anything_are_text(
    fleet: Fleet, files: Files, signed_in: Callable[[str, str], LabPage]
) -> None:
    path = f"demo/{uuid.uuid4().hex[:8]}.vl.json"
    files.save(path, {"type": "file", "format": "text", "content": json.dumps(VEGA)})
    page = signed_in(fleet.url, fleet.token("bob"))
    page.open_path(path)
    expect(page.page.locator(".jp-MimeDocument")).to_contain_text(
        re.compile(r"Shown as text: application/vnd.vegalite.v5\+json .*/api/contents/demo", re.S)
    )


def test_an_html_file_asks_no_other_port_and_runs_without_the_pages_origin_if_it_is_trusted(
    fleet: Fleet,
    files: Files,
    foreign: ScriptedServer,
    signed_in: Callable[[str, str], LabPage],
) -> None:
    path = f"demo/{uuid.uuid4().hex[:8]}.html"
    tags = ("iframe", "video", "img", "script")
    loads = "".join(f"<{tag} src='{foreign.url}/{tag}' autoplay></{tag}>" for tag in tags)
    loads += f"<link rel=prefetch href='{foreign.url}/ahead'>"
    script = f"<p>text</p>{loads}<script>document.body.append(self.origin)</script>"
    files.save(path, {"type": "file", "format": "text", "content": script})
    page = signed_in(fleet.url, fleet.token("bob"))
    page.open_path(path)
    body = page.page.frame_locator(".jp-HTMLViewer iframe").locator("body")
    expect(body).to_have_text("text")
    page.page.get_by_text("Trust HTML").click()
    expect(body).to_have_text("textnull")
    assert foreign.requests == []


def test_a_console_frames_what_others_run_in_its_kernel(notebook: KernelNotebook) -> None:
    script = "<script>document.body.append(self.origin)</script>"
    notebook.save({"html": f"from IPython.display import HTML\nHTML({script!r})"})
    ann = notebook.open()
    bob = notebook.open("bob")
    bob.cell(0).click()
    bob.choose_in_palette("New Console for Notebook")
    console = bob.page.locator(".jp-CodeConsole")
    console.locator(".jp-CodeConsole-promptCell .cm-content").click()
    bob.choose_in_palette("Show All Kernel Activity")
    run_cell(ann, 0)
    expect(ann.cell(0).locator(".jp-RenderedHTML")).to_be_attached()
    expect(console.frame_locator("iframe").locator("body")).to_have_text("null")


PLOT = """import plotly.express
from IPython.display import HTML
HTML(plotly.express.scatter(x=[1, 2], y=[3, 4]).to_html(full_html=False))"""


def test_an_operator_can_have_own_outputs_framed_as_well(
    notebook: KernelNotebook,
    fleet: Fleet,
    files: Files,
    signed_in: Callable[[str, str], LabPage],
) -> None:
    html = "HTML('<p id=said></p><script>said.textContent = self.origin</script>')"
    notebook.save(
        {
            "html": f"from IPython.display import HTML\n{html}",
            "slider": "import ipywidgets\nipywidgets.IntSlider(value=7)",
            "plot": PLOT,
        }
    )
    page = signed_in(fleet.url, fleet.token("ann"))
    page.page.add_init_script(FRAME_ALL)
    page.page.add_init_script(strict_policy(page, files))
    refused: list[str] = []
    page.page.on(
        "console", lambda said: refused.append(said.text) if "script-src" in said.text else None
    )
    page.open_path(notebook.path)
    page.wait_for_kernel()
    run_cell(page, 0)
    expect(page.framed(0).locator("#said")).to_have_text("null")
    run_cell(page, 1)
    expect(page.cell(1).locator(".jp-OutputArea-output")).to_have_text("IntSlider(value=7)")
    run_cell(page, 2)
    expect(page.framed(2).locator(".js-plotly-plot .plot-container")).to_be_visible()
    assert refused == []
    page.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), "
        "{textContent: 'window.ran = true'}))"
    )
    assert page.page.evaluate("window.ran") is None


def strict_policy(page: LabPage, files: Files) -> str:
    """A script that gives a page the policy that its lab would send with that setting."""
    origin = origin_of(page.url)
    template = files.session.get(f"{files.url}/lab", timeout=30).text
    sources = script_sources(origin, ["/static/lab/", "/lab/extensions/"], template)
    directives = page_policy("/report", origin, sources).split("; ")
    (scripts,) = [one for one in directives if one.startswith("script-src")]
    return STRICT.replace("POLICY", json.dumps(scripts))


def test_markdown_of_others_neither_leads_the_page_away_nor_runs_commands(
    show_to: ShowTo, foreign: ScriptedServer
) -> None:
    elsewhere = foreign.url.replace("127.0.0.1", "localhost")
    markdown = (
        f"<a class='click' target='_top' href='{elsewhere}/top'>x</a>\n"
        "<form><button class='send'>x</button></form>\n"
        "<button class='command' data-commandlinker-command='apputils:change-theme' "
        """data-commandlinker-args='{"theme": "JupyterLab Dark"}'>x</button>\n"""
    )
    page = show_to("bob", {"markdown": output({"text/markdown": markdown})})
    page.mark()
    shown = page.cell(0).locator(".jp-RenderedMarkdown")
    with page.page.context.expect_page() as opened:
        shown.locator(".click").click()
    assert opened.value.evaluate("window.opener") is None
    opened.value.close()
    shown.locator(".command").click()
    shown.locator(".send").click()
    page.page.evaluate("fetch('/api').then(answer => answer.text())")
    assert not page.reloaded
    # Nor has anything asked whether to run the command.
    assert page.dialog.count() == 0


def test_the_debugger_renders_variables_without_the_pages_origin(notebook: KernelNotebook) -> None:
    notebook.save(
        {
            "rich": "class Rich:\n    def _repr_html_(self):\n        return "
            "'<p id=said></p><script>said.textContent = self.origin</script>'\n"
            "    def _repr_mimebundle_(self, **_):\n        return "
            "{'text/html': self._repr_html_(), 'application/vnd.vegalite.v5+json': {}}\n"
            "rich = Rich()\n"
            "class Marked:\n    def _repr_mimebundle_(self, **_):\n        return "
            "{'text/markdown': '*marked* <img src=x onerror=alert()>'}\n"
            "marked = Marked()"
        }
    )
    page = notebook.open()
    page.notebook.locator(".jp-DebuggerBugButton").click()
    expect(page.page.locator(".jp-DebuggerBugButton[aria-pressed=true]")).to_be_visible()
    run_cell(page, 0)
    variables = page.page.locator(".jp-DebuggerVariables")
    rendered = page.page.locator(".jp-VariableRendererPanel")
    for name in ("rich", "marked"):
        variables.get_by_text(name, exact=True).first.click(button="right")
        page.page.locator(".lm-Menu-itemLabel", has_text="Render Variable").click()
    expect(rendered.frame_locator("iframe").locator("#said")).to_have_text("null")
    marked = rendered.locator(".jp-RenderedMarkdown", has=page.page.locator("em"))
    expect(marked.locator("img")).to_be_attached()
    assert marked.locator("img").get_attribute("onerror") is None


def test_frames_follow_the_theme_of_the_page(show_to: ShowTo) -> None:
    page = show_to("bob", {"html": html("<p id=text>text</p>")})
    text = page.framed(0).locator("#text")
    expect(text).to_be_visible()
    before = text.evaluate("element => getComputedStyle(element).color")
    page.choose_theme("JupyterLab Dark")
    try:
        wait_for(
            "the frame's theme",
            lambda: text.evaluate("element => getComputedStyle(element).color") != before,
            60,
        )
        # Browsers draw a frame of another color scheme on white.
        scheme = "getComputedStyle(document.documentElement).colorScheme"
        page_scheme = page.page.evaluate(
            "getComputedStyle(document.querySelector('.jp-fleet-OutputFrame > iframe')).colorScheme"
        )
        assert text.evaluate(f"() => {scheme}") == page_scheme
    finally:
        page.choose_theme("JupyterLab Light")


def test_searches_find_what_frames_show(show_to: ShowTo) -> None:
    page = show_to("bob", {"one": html("<p>alpha</p>"), "two": html("<b>beta alpha</b>")})
    expect(page.framed(1).locator("b")).to_be_visible()
    page.cell(0).locator(".cm-content").click()
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("Control+F")
    search = page.page.locator(".jp-DocumentSearch-overlay")
    search.locator(".jp-DocumentSearch-filter-button").click()
    search.get_by_text("Search Cell Outputs").click()
    search.locator("textarea").first.fill("alpha")
    expect(search.locator(".jp-DocumentSearch-index-counter")).to_have_text("1/2")
