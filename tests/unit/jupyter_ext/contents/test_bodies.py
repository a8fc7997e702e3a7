"""Bodies between the contents API and stored bytes."""

import json

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from jupyter_ext.contents.bodies import (
    decode_file,
    decode_notebook,
    encode_file,
    encode_notebook,
    read_notebook,
)
from jupyter_ext.contents.errors import BadInput


@given(st.binary(max_size=2000))
def test_any_bytes_survive(body: bytes) -> None:
    as_base64 = decode_file(body, "x", "base64")
    assert encode_file(as_base64.content, as_base64.format) == body
    best = decode_file(body, "x", None)
    assert encode_file(best.content, best.format) == body


@pytest.mark.parametrize(
    ("name", "body", "format", "mimetype"),
    [
        ("a.txt", b"x", "text", "text/plain"),
        ("a.unknownsuffix", b"x", "text", "text/plain"),
        ("a.unknownsuffix", b"\xff", "base64", "application/octet-stream"),
        ("a.png", b"\x89PNG\xff", "base64", "image/png"),
        ("a.json", b"{}", "text", "application/json"),
    ],
)
def test_kind_of_a_file(name: str, body: bytes, format: str, mimetype: str) -> None:
    decoded = decode_file(body, name, None)
    assert (decoded.format, decoded.mimetype) == (format, mimetype)


@pytest.mark.parametrize(
    ("content", "format"),
    [("x", "json"), ("x", None), (3, "text"), ("\ud800", "text"), ("a", "base64"), ("é", "base64")],
)
def test_bad_files_are_refused(content: object, format: str | None) -> None:
    with pytest.raises(BadInput):
        encode_file(content, format)


def _of_code_cell(**changes: object) -> dict[str, object]:
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": []} | changes
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (_of_code_cell() | {"nbformat_minor": "x"}, "nbformat_minor"),
        (_of_code_cell() | {"nbformat_minor": None}, "nbformat_minor"),
        ({"nbformat": 3, "metadata": {}}, "worksheets"),
        ({"nbformat": 3, "metadata": {}, "worksheets": 5}, "worksheets"),
        ({"nbformat": 3, "metadata": {}, "worksheets": [5]}, "worksheet"),
        ({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": 5}]}, "cells"),
        (_of_code_cell(outputs=[1]), "output"),
        (_of_code_cell(outputs=[{}]), "output_type"),
        (_of_code_cell(metadata=3), "metadata"),
        (_of_code_cell(source=[1, 2]), "source"),
    ],
)
def test_malformed_notebooks_are_refused(content: object, trouble: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_notebook(content)
    assert trouble in str(refused.value)


def test_notebook_is_written_as_jupyter_writes_it() -> None:
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# é\nsecond line"),
            new_code_cell("1\n2", outputs=[new_output("stream", text="a\nb")]),
        ]
    )
    read, message = read_notebook(json.loads(json.dumps(notebook)))
    assert message is None
    body = encode_notebook(read)
    assert body.decode() == nbformat.writes(notebook) + "\n"
    assert decode_notebook(body).content == notebook


def test_old_notebooks_are_read_as_the_current_format() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": ["1"], "outputs": [], "language": "python"}]}
        ],
    }
    read, _ = read_notebook(old)
    decoded = decode_notebook(encode_notebook(read))
    assert decoded.content["nbformat"] == 4
    assert decoded.content["cells"][0]["source"] == "1"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b"null", b'{"nbformat": 4}'])
def test_what_is_no_notebook_is_not_opened_as_one(body: bytes) -> None:
    with pytest.raises(BadInput):
        decode_notebook(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["nbformat", "nbformat_minor", "cells", "metadata", "cell_type"])
                | st.text(max_size=3),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_notebook_or_refused(content: object) -> None:
    """Never another error, and what is taken can be opened again."""
    try:
        notebook, _ = read_notebook(content)
        body = encode_notebook(notebook)
    except BadInput:
        return
    decode_notebook(body)
