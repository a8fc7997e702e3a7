"""Outputs that try what no output of another person may do, and notebooks of them."""

from __future__ import annotations

import json
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
})();
"""
NOTHING = "cookie no, storage no, page no, top no, api no, popup no"
"""What an output says that has tried all of it in vain."""


def tries(url: str) -> str:
    """A script that says below its output what it could read of the fleet at `url`."""
    return TRIES.replace("API", json.dumps(f"{url.rstrip('/')}/api/contents/demo"))


def scripts(url: str) -> dict[str, dict[str, Any]]:
    """Outputs with such a script, by the way in which it is run."""
    script = tries(url)
    in_attribute = script.replace('"', "&quot;")
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>"
    return {
        "script": html(f"<script>{script}</script>"),
        "image": html(f'<img src="data:," onerror="{in_attribute}">'),
        "svg": output(
            {"image/svg+xml": f'{svg}<image href="data:," onerror="{in_attribute}"/></svg>'}
        ),
        "javascript": output({"application/javascript": script}),
        "isolated": html(f"<script>{script}</script>", isolated=True),
        "isolated-type": html(f"<script>{script}</script>", **{"text/html": {"isolated": True}}),
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


def notebook_of(outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A notebook with one output in each cell; the cells' sources are the names."""
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
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
