"""What one member of a group tells the others."""

from __future__ import annotations

import pickle
from typing import TypeVar

T = TypeVar("T")


def told_by(root: int, value: T) -> T:
    """What the member `root` gives as its `value`; the other members wait for that.

    A broadcast whose root is lost may end as if all had come, with zeros for what has not
    (XGBoost 3.2), which are no pickle.

    Raises:
        ConnectionAbortedError: the group broke.
    """
    from xgboost import collective

    try:
        return collective.broadcast(value, root)
    except (pickle.UnpicklingError, EOFError) as error:
        raise ConnectionAbortedError(f"the broadcast of member {root} was cut off") from error
