"""nbformat's validation, bounded: what a notebook says does not decide how long it takes.

nbformat has no option for any of it, so that its parts are replaced, once in a process, here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
from fastjsonschema.draft04 import CodeGeneratorDraft04  # type: ignore[import-untyped]
from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend
from nbformat import json_compat
from nbformat import validator as nbformat_validator
from nbformat.corpus.words import generate_corpus_id

from jupyter_ext.platform.unique_items import unique_items

_stock_get_validator = nbformat_validator.get_validator


def install() -> None:
    """Replace, for this process,

    - `uniqueItems`, which is quadratic both in jsonschema (objects) and in fastjsonschema (numbers
      of one hash): see `unique_items`;
    - `oneOf` of jsonschema, which collects every error of every alternative;
    - the choice of a validator: a compiled one is kept for each minor version that any notebook
      says it has.
    """
    CodeGeneratorDraft04.generate_unique_items = _generate_unique_items
    json_compat._JsonSchemaValidator = extend(  # type: ignore[misc]
        Draft4Validator, {"uniqueItems": unique_items, "oneOf": _one_of}
    )
    nbformat_validator.get_validator = _get_validator
    nbformat_validator.validators.clear()


def repair_ids(notebook: Any) -> None:
    """Give cells an id of their own where nbformat would, and where the id is no text.

    nbformat warns on standard error about each one, and keeps each warning; and it takes ids that
    are numbers, which can share one hash, into a set.
    """
    if (notebook["nbformat"], notebook.get("nbformat_minor", 0)) < (4, 5):
        return
    seen: set[str] = set()
    for cell in notebook["cells"]:
        id = cell.get("id")
        if not isinstance(id, str) or id in seen:
            id = cell["id"] = generate_corpus_id()
        seen.add(id)


def _generate_unique_items(self: Any) -> None:
    """The lines of a compiled validator for `uniqueItems`."""
    if not self._definition["uniqueItems"]:
        return
    self.create_variable_is_list()
    with self.l("if {variable}_is_list:"):
        self.l("from jupyter_ext.platform.unique_items import all_different")
        with self.l("if not all_different({variable}):"):
            self.exc("{name} must contain unique items", rule="uniqueItems")


def _one_of(
    validator: Any, alternatives: list[Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """As in jsonschema, with the first error of each alternative as the context."""
    context = []
    valid = []
    for index, alternative in enumerate(alternatives):
        error = next(validator.descend(instance, alternative, schema_path=index), None)
        if error is None:
            valid.append(alternative)
        else:
            context.append(error)
    if not valid:
        yield ValidationError(
            f"{instance!r} is not valid under any of the given schemas", context=context
        )
    elif len(valid) > 1:
        reprs = ", ".join(repr(each) for each in (*valid[1:], valid[0]))
        yield ValidationError(f"{instance!r} is valid under each of {reprs}")


def _get_validator(
    version: Any = None,
    version_minor: Any = None,
    relax_add_props: bool = False,
    name: str | None = None,
) -> Any:
    """One validator for all minor versions that are not known: their schema is the same."""
    known = getattr(nbformat.versions.get(version), "nbformat_minor", None)
    if known is not None and version_minor is not None:
        version_minor = min(version_minor, known + 1)
    return _stock_get_validator(version, version_minor, relax_add_props, name)
