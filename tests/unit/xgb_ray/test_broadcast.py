import ctypes
from types import SimpleNamespace

import pytest
from xgboost import collective

from gateway_ext.xgb_ray.worker.broadcast import told_by
from gateway_ext.xgb_ray.worker.worker import is_broken_group


@pytest.mark.parametrize("length", [0, 100])
def test_a_broadcast_of_which_nothing_came_is_no_error_of_the_work(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """As when its root is killed: XGBoost returns, and leaves zeros."""
    lengths = [length]

    def cut_off(data: ctypes.c_void_p, size: int, root: int) -> int:
        if lengths:
            ctypes.cast(data, ctypes.POINTER(ctypes.c_ulong))[0] = lengths.pop()
        return 0

    monkeypatch.setattr(collective, "_LIB", SimpleNamespace(XGCommunicatorBroadcast=cut_off))
    monkeypatch.setattr(collective, "get_rank", lambda: 1)
    with pytest.raises(ConnectionAbortedError, match="member 0") as told:
        told_by(0, None)
    assert is_broken_group(told.value)
