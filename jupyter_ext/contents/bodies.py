"""Converts between the content in models of the contents API and the bytes that are stored."""

import base64
import binascii
import mimetypes
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat.validator import ValidationError

from jupyter_ext.contents import notebook_encoder, notebook_validation
from jupyter_ext.contents.errors import BadInput
from jupyter_ext.platform import json_bodies
from jupyter_ext.platform.big_json import BigDecoder

notebook_validation.install()
notebook_encoder.install()

_COMPLAINT_LETTERS = 2000


@dataclass(frozen=True)
class Decoded:
    """Content as in the API's models, and for a notebook the message of its validation, if any."""

    content: Any
    format: str
    mimetype: str | None
    message: str | None = None


def encode_file(content: Any, format: str | None) -> bytes:
    """The bytes of a file sent as text or base64; raises BadInput if it cannot be decoded."""
    if format not in ("text", "base64"):
        raise BadInput("the format of a file must be 'text' or 'base64'")
    if not isinstance(content, str):
        raise BadInput(f"the content of a {format} file must be a string")
    try:
        if format == "text":
            return content.encode()
        return base64.b64decode("".join(content.split()), validate=True)
    except UnicodeEncodeError:
        raise BadInput("the content is not valid Unicode") from None
    except (ValueError, binascii.Error) as error:
        raise BadInput(f"the content is not valid base64: {error}") from None


def read_notebook(content: Any) -> tuple[nbformat.NotebookNode, str | None]:
    """A notebook from the JSON of a save, and a warning about it, if any.

    Raises BadInput if nobody could open it again. Lesser errors (an unknown key in an output) only
    cause a warning, because rejecting the save would lose the author's edit.
    """
    trouble = unreadable(content)
    if trouble is not None:
        raise BadInput(f"this is not a notebook: {trouble}")
    try:
        notebook = nbformat.from_dict(content)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"this is not a notebook: {error}") from None
    notebook_validation.repair_ids(notebook)
    try:
        nbformat.validate(notebook)
    except RecursionError as error:
        raise BadInput(f"this is not a notebook: {error}") from None
    except ValidationError as error:
        return notebook, _complaint(error)
    return notebook, None


def encode_notebook(notebook: nbformat.NotebookNode) -> bytes:
    """The text of the .ipynb file."""
    try:
        # The first version takes an encoder as an argument, the others have that of `install`.
        text: str = nbformat.versions[notebook.nbformat].writes_json(
            notebook, cls=notebook_encoder.NotebookEncoder
        )
        return (text if text.endswith("\n") else text + "\n").encode()
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"this notebook cannot be written: {error}") from None


def unreadable(content: Any) -> str | None:
    """Why the JSON value could not be opened as a notebook; None when it could."""
    if not isinstance(content, dict):
        return f"its content must be a JSON object, not {type(content).__name__}"
    major = content.get("nbformat")
    if not isinstance(major, int) or isinstance(major, bool):
        return "nbformat must be a number"
    if major not in nbformat.versions:
        return f"nbformat {major} is not supported"
    if not isinstance(content.get("metadata", {}), dict):
        return "metadata must be an object"
    minor = content.get("nbformat_minor", 0)
    if not isinstance(minor, int) or isinstance(minor, bool):
        return "nbformat_minor must be a number"
    if major in (2, 3):
        sheets = content.get("worksheets")
        if not isinstance(sheets, list):
            return "worksheets must be a list"
        if not all(isinstance(sheet, dict) for sheet in sheets):
            return "every worksheet must be an object"
        return next((why for sheet in sheets if (why := _bad_cells(sheet.get("cells"), 3))), None)
    return _bad_cells(content.get("cells"), major)


def _bad_cells(cells: Any, major: int) -> str | None:
    if not isinstance(cells, list):
        return "cells must be a list"
    for number, cell in enumerate(cells):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            return f"cell {number} must be an object with a cell_type"
        # Code of nbformat 3 and before is called input.
        source = cell.get("source") if major >= 4 else cell.get("source", cell.get("input", ""))
        lines = source if isinstance(source, list) else [source]
        if not all(isinstance(line, str) for line in lines):
            return f"cell {number} must have a source: a text or a list of texts"
        if not isinstance(cell.get("metadata", {}), dict):
            return f"the metadata of cell {number} must be an object"
        outputs = cell.get("outputs", []) if cell["cell_type"] == "code" else []
        if not isinstance(outputs, list):
            return f"the outputs of cell {number} must be a list"
        for output in outputs:
            if not isinstance(output, dict) or not isinstance(output.get("output_type"), str):
                return f"every output of cell {number} must be an object with an output_type"
    return None


def decode_notebook(body: bytes) -> Decoded:
    """A stored notebook as nbformat 4; raises BadInput when it cannot be read as one."""
    message = None
    try:
        # It may have been saved as a text file, whose content is not checked.
        json_bodies.check(body, json_bodies.DOCUMENT)
        # As nbformat.reads, but with ids repaired before it checks them.
        notebook = nbformat.convert(nbformat.reader.reads(body.decode(), cls=BigDecoder), 4)
        notebook_validation.repair_ids(notebook)
        try:
            nbformat.validate(notebook)
        except ValidationError as error:
            message = _complaint(error)
    except Exception as error:
        # nbformat raises whatever its converters of old formats stumble over.
        raise BadInput(f"this file cannot be read as a notebook: {error!r}") from error
    return Decoded(notebook, "json", None, message)


def decode_file(body: bytes, name: str, format: str | None) -> Decoded:
    """A stored file in the given `format`; by default as text if possible, else as base64.

    Raises BadInput if text is requested and the file is not UTF-8.
    """
    guessed = mimetypes.guess_type(name)[0]
    if format != "base64":
        try:
            return Decoded(body.decode(), "text", guessed or "text/plain")
        except UnicodeDecodeError:
            if format == "text":
                raise BadInput(f"{name} is not UTF-8 encoded", reason="bad format") from None
    content = base64.encodebytes(body).decode("ascii")
    return Decoded(content, "base64", guessed or "application/octet-stream")


def _complaint(error: ValidationError) -> str:
    # The message quotes the invalid part, which may be the whole notebook.
    return f"Notebook validation failed: {error.message[:_COMPLAINT_LETTERS]}"
