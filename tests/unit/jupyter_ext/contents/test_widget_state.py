"""Widget state keeps its content while it is hidden, and has its usual name in the file."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.contents.widget_state import HIDDEN, STATE, hide, put_back

JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def with_metadata(**metadata: Any) -> dict[str, Any]:
    return {"cells": [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def state(*models: str) -> dict[str, Any]:
    return {STATE: {"version_major": 2, "state": {model: {"_esm": "steal()"} for model in models}}}


@given(st.dictionaries(st.text(), JSON) | st.builds(lambda value: {"widgets": value}, JSON))
def test_what_is_hidden_comes_back_as_it_was(metadata: dict[str, Any]) -> None:
    metadata.pop(HIDDEN, None)
    notebook = with_metadata(**metadata)
    there = "widgets" in metadata
    assert hide(notebook) is there
    assert "widgets" not in notebook["metadata"]
    assert put_back(notebook) is there
    assert notebook == with_metadata(**metadata)


def test_state_of_a_pages_own_widgets_replaces_what_was_hidden() -> None:
    sent = with_metadata(**{HIDDEN: state("theirs"), "widgets": state("mine")})
    assert put_back(sent) is False
    assert sent == with_metadata(widgets=state("mine"))


def test_the_empty_state_of_a_page_without_widgets_replaces_nothing() -> None:
    for empty in (state(), {}, None, {STATE: []}):
        sent = with_metadata(**{HIDDEN: state("theirs"), "widgets": copy.deepcopy(empty)})
        assert put_back(sent) is True
        assert sent == with_metadata(widgets=state("theirs"))


def test_notebooks_without_metadata_have_none_to_hide() -> None:
    for notebook in ({"cells": []}, {"cells": [], "metadata": None}):
        assert hide(notebook) is False
        assert put_back(notebook) is False
