"""nbformat's validation in time linear in the size of the notebook, whatever it contains.

nbformat has no options for this, so its slow parts are replaced once per process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
from fastjsonschema.draft04 import CodeGeneratorDraft04
from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend
from nbformat import json_compat
from nbformat import validator as nbformat_validator
from nbformat.corpus.words import generate_corpus_id

from jupyter_ext.unique_items import unique_items

_stock_get_validator = nbformat_validator.get_validator


def install() -> None:
    """Replace three parts of nbformat for this process.

    - `uniqueItems` is quadratic in jsonschema (for objects) and in fastjsonschema (for numbers with
      equal hashes): see `unique_items`.
    - `oneOf` in jsonschema collects every error of every alternative.
    - `get_validator` compiles and keeps a validator for each minor version that notebooks claim.
    """
    CodeGeneratorDraft04.generate_unique_items = _generate_unique_items  # type: ignore[method-assign]
    json_compat._JsonSchemaValidator = extend(
        Draft4Validator, {"uniqueItems": unique_items, "oneOf": _one_of}
    )
    nbformat_validator.get_validator = _get_validator
    nbformat_validator.validators.clear()


def repair_ids(notebook: Any) -> None:
    """Replace cell ids that are missing, repeated or not strings, before nbformat looks at them.

    nbformat replaces missing and repeated ids too, but it warns on standard error about each one
    and keeps every warning. It also puts ids that are numbers, whose hashes may all be equal, into
    a set.
    """
    if (notebook["nbformat"], notebook.get("nbformat_minor", 0)) < (4, 5):
        return
    seen: set[str] = set()
    for cell in notebook["cells"]:
        id = cell.get("id")
        # New ids are random and short, so a notebook with many cells can draw one twice.
        while not isinstance(id, str) or id in seen:
            id = cell["id"] = generate_corpus_id()
        seen.add(id)


def _generate_unique_items(self: Any) -> None:
    """Write the code of a compiled validator that checks `uniqueItems`."""
    if not self._definition["uniqueItems"]:
        return
    self.create_variable_is_list()
    with self.l("if {variable}_is_list:"):
        self.l("from jupyter_ext.unique_items import all_different")
        with self.l("if not all_different({variable}):"):
            self.exc("{name} must contain unique items", rule="uniqueItems")


def _one_of(
    validator: Any, alternatives: list[Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """`oneOf` as in jsonschema, but with only the first error of each alternative as context."""
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
    """nbformat's `get_validator`, with one validator for all unknown minor versions: they have the
    same schema."""
    known = getattr(nbformat.versions.get(version), "nbformat_minor", None)
    if known is not None and version_minor is not None:
        version_minor = min(version_minor, known + 1)
    return _stock_get_validator(version, version_minor, relax_add_props, name)
