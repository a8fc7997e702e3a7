"""What somebody learns of a kernel from the refusal to start another one under its id."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway_ext.kernels.kernel_starts import KernelStarts
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import NO_LIMITS
from gateway_ext.ownership.states import KernelState
from tests.unit.gateway_ext.sample_record import sample_record


def starts(present: KernelRecord | None) -> KernelStarts:
    """With an id that is taken, and with what the database has of it by now."""

    async def same(new: NewKernel, spec: Any) -> NewKernel:
        return new

    async def none(*_: Any) -> None:
        return None

    async def get(kernel_id: str) -> KernelRecord | None:
        return present

    processes = SimpleNamespace(kernelspec=none, why_shared=lambda spec: "")
    unused = dict.fromkeys(("links", "board", "door"), cast(Any, None))
    return KernelStarts(
        records=cast(Any, SimpleNamespace(insert_launching=none, get=get)),
        membership=cast(Any, SimpleNamespace(takes_kernels=True)),
        rules=cast(Any, SimpleNamespace(decided=same)),
        launches=cast(Any, SimpleNamespace(processes=processes)),
        pools=cast(Any, SimpleNamespace(claim=none)),
        limits=lambda: NO_LIMITS,
        find=cast(Any, None),
        **unused,
    )


async def refused(present: KernelRecord | None, *, personal: bool = False) -> Refusal:
    async def valid() -> None:
        return None

    new = NewKernel("k", "mine", "", "eve", "python", {}, personal=personal)
    with pytest.raises(Refusal) as refusal:
        await starts(present).start(new, None, valid)
    return refusal.value


async def test_whoever_may_not_see_a_kernel_learns_nothing_of_it_by_its_id() -> None:
    answers = [
        await refused(None),
        await refused(sample_record(KernelState.DELETED)),
        await refused(sample_record(KernelState.DELETED, project="mine")),
        await refused(sample_record()),
        await refused(sample_record(KernelState.DEAD)),
        await refused(sample_record(personal=True)),
        await refused(sample_record(project="mine", personal=True)),
        await refused(sample_record(project="mine", personal=True), personal=True),
    ]
    bodies = [(one.status, one.body) for one in answers]
    assert bodies[0][0] == 409
    assert "choose another one" in answers[0].message
    assert bodies == bodies[:1] * len(bodies)
    # The audit says whose it is.
    assert "'demo'" in answers[3].for_audit


async def test_whoever_may_use_it_joins_its_start() -> None:
    async def valid() -> None:
        return None

    present = sample_record(project="mine")
    new = NewKernel("k", "mine", "", "eve", "python", {})
    assert await starts(present).start(new, None, valid) is present
