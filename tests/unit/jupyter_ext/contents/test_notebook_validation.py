"""What a notebook holds does not decide how long it takes to look at it."""

import json
import warnings
from typing import Any

import pytest
from nbformat import validator
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jupyter_ext.contents.bodies import decode_notebook, read_notebook

SAME_HASH = 2**61 - 1
MANY = 20_000


def notebook(**more: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(new_notebook(cells=[new_markdown_cell("x")])))
    made["cells"][0]["metadata"] = more
    return made


@pytest.mark.parametrize(
    "tags",
    [
        [{"a": number} for number in range(MANY)],
        [SAME_HASH * number for number in range(MANY)],
    ],
    ids=["objects", "numbers of one hash"],
)
def test_many_odd_tags_are_complained_about_at_once(tags: list[Any]) -> None:
    document = notebook(tags=tags)
    message = decode_notebook(json.dumps(document).encode()).message
    assert message is not None
    assert "is not of type 'string'" in message
    assert read_notebook(document)[1] == message


@pytest.mark.parametrize(("tags", "complaint"), [(["a", "b"], False), (["a", "b", "a"], True)])
def test_tags_must_differ(tags: list[str], complaint: bool) -> None:
    message = read_notebook(notebook(tags=tags))[1]
    assert (message is not None) is complaint
    if message:
        assert "has non-unique elements" in message


def test_ids_that_are_numbers_twice_or_absent_are_replaced_without_a_warning() -> None:
    document = notebook()
    cell = document["cells"][0]
    document["cells"] = [{**cell, "id": SAME_HASH * number} for number in range(MANY)]
    document["cells"] += [{**cell, "id": id} for id in ("mine", "mine", [], None)]
    document["cells"].append({key: value for key, value in cell.items() if key != "id"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_notebook(json.dumps(document).encode())
        saved, complaint = read_notebook(document)
    assert decoded.message is None
    assert complaint is None
    for found in (decoded.content, saved):
        ids = [cell["id"] for cell in found["cells"]]
        assert all(isinstance(id, str) for id in ids)
        assert ids.count("mine") == 1


def test_minor_versions_share_one_validator() -> None:
    for minor in range(1000, 1010):
        document = notebook() | {"nbformat_minor": minor}
        assert read_notebook(document)[1] is None
        assert decode_notebook(json.dumps(document).encode()).message is None
    assert len(validator.validators) < 20


def test_the_first_error_of_many_is_what_is_told() -> None:
    document = json.loads(json.dumps(new_notebook(cells=[new_code_cell("x")])))
    document["cells"][0]["outputs"] = [{"output_type": "stream"}] * 2000
    message = read_notebook(document)[1]
    assert message is not None
    assert "is a required property" in message
    assert len(message) < 3000


def test_a_cell_of_no_kind_is_complained_about() -> None:
    document = notebook()
    document["cells"][0]["cell_type"] = "tea"
    message = read_notebook(document)[1]
    assert message is not None
    assert "is not valid under any of the given schemas" in message
