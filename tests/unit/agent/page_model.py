"""What a page shows of a kernel's messages, after JupyterLab's own code (`OutputAreaModel`, its
`processText`, and `KernelConnection._handleDisplayId`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Said = tuple[str, str, dict[str, Any]]
"""The request, the type of the message, and its content."""


def _in_units(text: str) -> str:
    """A character for each UTF-16 unit: JavaScript counts in them."""
    packed = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(packed[at] + 256 * packed[at + 1]) for at in range(0, len(packed), 2))


def written(text: str, cursor: int, more: str) -> tuple[str, int]:
    """The text of an output, and where in it one writes, when there is more text."""
    for piece in re.split(r"([\n\r\b])", _in_units(more)):
        if piece == "\r":
            cursor = text.rfind("\n", 0, cursor) + 1
        elif piece == "\n":
            text += "\n"
            cursor = len(text)
        elif piece == "\b":
            if cursor and text[cursor - 1] != "\n":
                text = text[: cursor - 1] + text[cursor + 1 :]
                cursor -= 1
        else:
            text = text[:cursor] + piece + text[cursor + len(piece) :]
            cursor += len(piece)
    return text, cursor


@dataclass
class _Cell:
    outputs: list[list[Any]] = field(default_factory=list)
    """[name of the stream, text, cursor] or ["", data, display id]."""
    clears_next: bool = False

    def add(self, output: list[Any]) -> None:
        if self.clears_next:
            self.outputs.clear()
            self.clears_next = False
        name = output[0]
        if not name or not self.outputs or self.outputs[-1][0] != name:
            self.outputs.append([name, "", 0] if name else output)
        if name:
            last = self.outputs[-1]
            last[1], last[2] = written(last[1], last[2], output[1])

    def change(self, display: str, data: Any) -> None:
        for output in self.outputs:
            if not output[0] and output[2] == display:
                output[1] = data


def shown(messages: list[Said]) -> dict[str, list[list[Any]]]:
    """The outputs of each cell."""
    cells: dict[str, _Cell] = {}
    for request, message_type, content in messages:
        cell = cells.setdefault(request, _Cell())
        display = (content.get("transient") or {}).get("display_id")
        if display is not None:
            for one in cells.values():
                one.change(display, content["data"])
        if message_type == "stream":
            cell.add([content["name"], content["text"]])
        elif message_type == "display_data":
            cell.add(["", content["data"], display])
        elif message_type == "clear_output":
            cell.clears_next = content["wait"]
            if not content["wait"]:
                cell.outputs.clear()
    return {request: cell.outputs for request, cell in cells.items() if cell.outputs}
