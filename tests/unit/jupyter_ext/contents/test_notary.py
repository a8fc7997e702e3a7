"""A signature is that of one notebook."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode, from_dict
from nbformat.sign import MemorySignatureStore, NotebookNotary

from jupyter_ext.contents.notary import FleetNotary, Trust, pieces
from jupyter_ext.contents.widget_state import HIDDEN, put_back

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


def recursive_pieces(value: Any) -> Iterator[bytes]:
    """What signatures are made of, as one writes it without a thought of time."""
    if isinstance(value, dict):
        yield b"{%d" % len(value)
        for name in sorted(value):
            yield from recursive_pieces(name)
            yield from recursive_pieces(value[name])
    elif isinstance(value, list):
        yield b"[%d" % len(value)
        for part in value:
            yield from recursive_pieces(part)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield b'"%d:' % len(text)
        yield text
    else:
        yield b"=%r;" % (value,)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_signatures_stay_what_they_were(value: Any) -> None:
    assert list(pieces(value)) == list(recursive_pieces(value))


def test_a_signature_takes_no_more_steps_when_values_are_nested_deeply() -> None:
    flat: Any = [1] * 1000
    deep: Any = flat
    for _ in range(5000):
        deep = [deep]
    # One step for each list: 5000 generators within each other are more than Python allows.
    assert sum(1 for _ in pieces(deep)) == sum(1 for _ in pieces(flat)) + 5000


WIDGETS = {"application/vnd.jupyter.widget-state+json": {"state": {"m": {"_esm": "steal()"}}}}


def with_widgets(widgets: Any = WIDGETS, source: str = "1") -> NotebookNode:
    made = notebook(cell(source, [], "a"))
    made.metadata["widgets"] = from_dict(widgets)
    return made


def shown(notary: FleetNotary, stored: NotebookNode) -> NotebookNode:
    """What a page gets."""
    got: NotebookNode = from_dict(json.loads(json.dumps(stored)))
    notary.show(got, notary.trust_of(notary.digests(got)))
    return got


def save(notary: FleetNotary, sent: NotebookNode) -> NotebookNode:
    """Store what a page sends."""
    stored: NotebookNode = from_dict(json.loads(json.dumps(sent)))
    seen = not put_back(stored)
    signature = notary.to_sign(stored, widgets_seen=seen)
    assert signature is not None
    notary.remember(signature)
    return stored


def test_widget_state_is_hidden_until_all_of_the_notebook_is_trusted(notary: FleetNotary) -> None:
    stored = with_widgets()
    got = shown(notary, stored)
    assert "widgets" not in got.metadata
    assert got.metadata[HIDDEN] == WIDGETS
    assert got.cells[0].metadata == {"trusted": False}
    notary.remember(notary.to_trust(from_dict(stored)))
    assert shown(notary, stored).metadata == stored.metadata


def test_a_save_signs_no_widget_state_that_was_hidden(notary: FleetNotary) -> None:
    page = shown(notary, with_widgets())
    page.cells[0].metadata["trusted"] = True
    stored = save(notary, page)
    assert stored.metadata["widgets"] == WIDGETS
    assert notary.trust_of(notary.digests(stored)) is Trust.CELLS
    again = shown(notary, stored)
    assert again.cells[0].metadata == {"trusted": True}
    assert "widgets" not in again.metadata
    # Nor does the next save, and other state makes it another notebook.
    assert notary.trust_of(notary.digests(save(notary, again))) is Trust.CELLS
    assert notary.trust_of(notary.digests(with_widgets({"other": 1}))) is Trust.NOTHING


def test_whoever_saves_state_of_their_own_widgets_sees_it_again(notary: FleetNotary) -> None:
    stored = save(notary, with_widgets())
    assert notary.trust_of(notary.digests(stored)) is Trust.ALL
    assert shown(notary, stored).metadata["widgets"] == WIDGETS


def test_digests_leave_the_notebook_as_it_is(notary: FleetNotary) -> None:
    stored = with_widgets()
    digests = notary.digests(stored)
    assert stored == with_widgets()
    assert digests.stored == notary.compute_signature(stored) != digests.hidden
    plain = notary.digests(notebook(cell("1", [], "a")))
    assert plain.stored == plain.hidden


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
