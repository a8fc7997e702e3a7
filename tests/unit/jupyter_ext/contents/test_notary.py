"""A signature is that of one notebook."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode, from_dict
from nbformat.sign import MemorySignatureStore, NotebookNotary

from jupyter_ext.contents.notary import FleetNotary, pieces

SCRIPT = "<script>steal()</script>"


def cell(source: str, outputs: list[Any], id: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": id,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def notebook(*cells: dict[str, Any]) -> NotebookNode:
    return from_dict({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


# A source that I trusted, and the same letters cut into two cells, one with an output.
TRUSTED = notebook(
    cell(
        "1cell_typecodeexecution_countNoneidbmetadataoutputs"
        f"datatext/html{SCRIPT}metadataoutput_typedisplay_datasource",
        [],
        "a",
    )
)
FORGED = notebook(
    cell("1", [], "a"),
    cell(
        "",
        [{"data": {"text/html": SCRIPT}, "metadata": {}, "output_type": "display_data"}],
        "b",
    ),
)


@pytest.fixture
def notary(tmp_path: Path) -> FleetNotary:
    return FleetNotary(data_dir=str(tmp_path), store_factory=MemorySignatureStore, secret=b"s")


def test_the_same_letters_cut_in_other_places_are_another_notebook(
    notary: FleetNotary, tmp_path: Path
) -> None:
    stock = NotebookNotary(data_dir=str(tmp_path), store_factory=MemorySignatureStore, secret=b"s")
    assert stock.compute_signature(TRUSTED) == stock.compute_signature(FORGED)
    notary.sign(TRUSTED)
    assert notary.check_signature(TRUSTED)
    assert not notary.check_signature(FORGED)


WORDS = st.sampled_from(["", "a", "ab", "b", "{1", '"1:a', "=1;"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_no_two_values_are_the_same_bytes(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (b"".join(pieces(one)) == b"".join(pieces(other))) is same


def test_what_the_file_says_of_trust_counts_for_no_cell(notary: FleetNotary) -> None:
    told = notebook(cell("1", [], "a"))
    told.cells.append(
        NotebookNode(cell_type="markdown", id="m", metadata=NotebookNode(trusted=True), source="x")
    )
    told.cells[0].metadata["trusted"] = True
    notary.mark_cells(told, False)
    assert told.cells[0].metadata == {"trusted": False}
    assert told.cells[1].metadata == {}
    notary.mark_cells(told, True)
    assert told.cells[0].metadata == {"trusted": True}
