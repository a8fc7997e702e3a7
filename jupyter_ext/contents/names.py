"""Free names for new files."""

import re
from collections.abc import Iterator
from itertools import count

_COPY = re.compile(r"-Copy\d*(?=\.|$)")


def candidates(name: str, insert: str = "") -> Iterator[str]:
    """`name`, then names like it with `insert` and a number before the suffix, as Jupyter does:
    `Untitled.ipynb`, `Untitled1.ipynb`, … or, with insert `-Copy`, `a.ipynb`, `a-Copy1.ipynb`, ….
    """
    stem, dot, suffix = name.rpartition(".")
    if suffix != "ipynb" or not dot:
        stem, dot, suffix = name.partition(".")
    yield name
    for number in count(1):
        yield f"{stem}{insert}{number}{dot}{suffix}"


def without_copy_suffix(name: str) -> str:
    """`a.ipynb` for `a-Copy3.ipynb`: the copy of a copy is numbered like the first."""
    return _COPY.sub("", name)
