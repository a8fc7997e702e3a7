"""Parses text frames from agents, or from peers that claim to be agents."""

import json
from typing import Any

from jupyter_ext.platform.json_bodies import SMALL, check


def parse_text_frame(frame: str | bytes) -> dict[str, Any]:
    """The JSON object in a frame; raises ValueError for anything else, and for one that is too long
    or too deeply nested to be read on the event loop."""
    check(frame.encode() if isinstance(frame, str) else frame, SMALL)
    document = json.loads(frame)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document
