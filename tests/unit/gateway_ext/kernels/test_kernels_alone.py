"""Kernels for one person where others could read them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway_ext.kernels.kernel_starts import KernelStarts
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.start_limits import NO_LIMITS
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.kubernetes_pod import KubernetesAgentProxy
from gateway_ext.process_proxies.yarn import YarnAgentProxy
from tests.unit.gateway_ext.sample_record import sample_record


def starts(why_shared: str) -> tuple[KernelStarts, list[str]]:
    """Of kernels that are shared for this reason; and what they ask of the records."""
    asked: list[str] = []

    async def kernelspec(name: str) -> None:
        return None

    async def decided(new: NewKernel, spec: Any) -> NewKernel:
        return new

    async def again(*_: Any) -> dict[str, Any]:
        return {}

    def records(name: str, answer: Any) -> Any:
        async def call(*_: Any) -> Any:
            asked.append(name)
            return answer

        return call

    secrets = SimpleNamespace(environment={}, launch_options={})
    processes = SimpleNamespace(kernelspec=kernelspec, why_shared=lambda spec: why_shared)
    made = KernelStarts(
        records=cast(
            Any,
            SimpleNamespace(
                secrets=records("secrets", secrets),
                launch_again=records("launch again", False),
                insert_launching=records("insert", sample_record(personal=True)),
            ),
        ),
        membership=cast(Any, SimpleNamespace(takes_kernels=True)),
        rules=cast(Any, SimpleNamespace(decided=decided, again=again)),
        launches=cast(Any, SimpleNamespace(processes=processes, begin=lambda *_, **__: None)),
        links=cast(Any, None),
        board=cast(Any, None),
        door=cast(Any, SimpleNamespace(add=lambda kernel_id: None)),
        pools=cast(Any, None),
        limits=lambda: NO_LIMITS,
        find=cast(Any, None),
    )
    return made, asked


async def test_nobody_starts_one_alone_nor_again_where_others_could_read_it() -> None:
    async def valid() -> None:
        return None

    new = NewKernel("k", "demo", "", "ann", "python", {}, personal=True)
    dead = sample_record(KernelState.DEAD, personal=True)
    shut, asked = starts("all can read it")
    for start in (shut.start(new, None, valid), shut.again(dead, "ann")):
        with pytest.raises(Refusal, match="all can read it") as refused:
            await start
        assert refused.value.status == 400
    assert asked == ["secrets"]
    fine, asked = starts("")
    await fine.start(new, None, valid)
    await fine.again(dead, "ann")
    assert asked == ["insert", "secrets", "launch again"]


@pytest.mark.parametrize("impersonation", [True, False])
def test_kernels_on_yarn_are_their_persons_if_applications_are(impersonation: bool) -> None:
    manager = cast(Any, SimpleNamespace(cluster=lambda kind: cluster))
    cluster = SimpleNamespace(impersonation=impersonation)
    assert bool(YarnAgentProxy.why_shared(manager)) is not impersonation
    assert KubernetesAgentProxy.why_shared(manager) == ""
