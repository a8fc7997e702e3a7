"""Messages with halves of characters, which UTF-8 does not have.

A text that was decoded or cut in a wrong way may have them. Jupyter's own packer raises an error
then, and everything that was printed within the same moment is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jupyter_client.jsonutil import json_default


def packer(pack: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Packs as `pack` does, and with a question mark for each half of a character."""

    def packed(content: Any) -> bytes:
        try:
            return pack(content)
        except UnicodeEncodeError:
            text = json.dumps(content, default=json_default, ensure_ascii=False, allow_nan=False)
            return text.encode(errors="replace")

    return packed
