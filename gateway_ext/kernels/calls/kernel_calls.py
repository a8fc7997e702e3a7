"""Answers the calls of the kernels that this gateway owns."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.background_tasks import BackgroundTasks
from gateway_ext.kernels.calls.call_budget import BURST, CallBudget
from gateway_ext.kernels.calls.kernel_call import CallRefused, KernelCall
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable

_MOST_UNANSWERED = 2 * BURST
"""Agents have at most half as many calls without an answer: beyond it is something else, which may
not read its answers either."""


class KernelCalls:
    """Checks each call against the table and what the operator allows, and has it carried out."""

    def __init__(
        self,
        table: Mapping[str, KernelCall],
        *,
        records: KernelRecords,
        allowed: Collection[str],
        per_second: float,
        log: logging.Logger,
    ) -> None:
        """`allowed` are the names of calls that kernels may make, `per_second` is for each
        kernel."""
        self._table = table
        self._records = records
        self._allowed = frozenset(allowed)
        self._per_second = per_second
        self._log = log
        self._background = BackgroundTasks(log)
        self._budgets: dict[str, CallBudget] = {}
        # Kernels whose budgets a timer looks at.
        self._forgetting: set[str] = set()
        if unknown := self._allowed - table.keys():
            log.warning(
                "FleetGatewayApp.kernel_calls has names of no call: %s", ", ".join(sorted(unknown))
            )

    def for_agents(self) -> dict[str, Any]:
        """What agents must know of the calls."""
        return {name: {"idempotent": call.idempotent} for name, call in self._table.items()}

    def receive(self, link: AgentLink, frame: Mapping[str, Any], size: int) -> None:
        """Answers a call's frame of so many bytes soon; raises ValueError if no agent sends it."""
        number = frame["id"]
        if type(number) is not int:
            raise ValueError("the id of a call is not an integer")
        budget = self._budgets.setdefault(link.kernel_id, CallBudget(self._per_second))
        if budget.unanswered >= _MOST_UNANSWERED:
            raise ValueError(f"more than {_MOST_UNANSWERED} calls have no answer")
        budget.unanswered += 1
        self._background.start(self._answer(link, number, frame, size, budget))

    async def _answer(
        self,
        link: AgentLink,
        number: int,
        frame: Mapping[str, Any],
        size: int,
        budget: CallBudget,
    ) -> None:
        try:
            try:
                result = await self._result(link, frame, size, budget)
                answer = {"ok": True, "result": result}
            except CallRefused as refused:
                answer = {"ok": False, "status": refused.status, "message": refused.message}
            # An agent that does not read gets no second answer.
            with contextlib.suppress(Exception):
                await link.answer_call(number, answer)
        finally:
            budget.unanswered -= 1
            self._forget_later(link.kernel_id)

    def _forget_later(self, kernel_id: str) -> None:
        # One timer for each kernel, however many calls it makes.
        if kernel_id not in self._forgetting:
            self._forgetting.add(kernel_id)
            seconds = 1.0 + BURST / self._per_second
            asyncio.get_running_loop().call_later(seconds, self._forget, kernel_id)

    def _forget(self, kernel_id: str) -> None:
        self._forgetting.discard(kernel_id)
        budget = self._budgets.get(kernel_id)
        if budget is None:
            return
        if budget.is_whole(time.monotonic()):
            del self._budgets[kernel_id]
        elif not budget.unanswered:
            # Otherwise the answer looks at it again.
            self._forget_later(kernel_id)

    async def _result(
        self, link: AgentLink, frame: Mapping[str, Any], size: int, budget: CallBudget
    ) -> dict[str, Any]:
        if not budget.take(time.monotonic()):
            raise CallRefused(
                429,
                f"a kernel may make {self._per_second:g} calls a second: try again in a moment",
            )
        call = self._call(frame.get("call"), size)
        arguments = call.check(frame.get("arguments"))
        try:
            async with asyncio.timeout(call.seconds):
                record = await self._record(link)
                return await call.handler(record, arguments)
        except CallRefused:
            raise
        except DatabaseUnavailable as error:
            raise CallRefused(503, str(error)) from error
        except TimeoutError:
            raise CallRefused(
                504, f"{call.name} was not done within {call.seconds:g} s: try again"
            ) from None
        except Exception as error:
            self._log.exception("kernel %s: its call %s failed", link.kernel_id, call.name)
            raise CallRefused(500, f"{call.name} failed; the gateway's log says why") from error

    def _call(self, name: object, size: int) -> KernelCall:
        call = self._table.get(name) if isinstance(name, str) else None
        if call is None:
            known = ", ".join(sorted(self._table))
            raise CallRefused(404, f"there is no such call; this fleet has: {known}")
        if call.name not in self._allowed:
            raise CallRefused(
                403,
                f"kernels of this fleet may not call {call.name}: its operator has not listed it "
                "in FleetGatewayApp.kernel_calls",
            )
        if size > call.longest:
            raise CallRefused(
                413, f"the call has {size} bytes; {call.name} takes at most {call.longest}"
            )
        return call

    async def _record(self, link: AgentLink) -> KernelRecord:
        record = await self._records.get(link.kernel_id)
        if record is None or record.state is KernelState.DELETED:
            raise CallRefused(404, "this kernel was deleted")
        if record.epoch != link.epoch:
            raise CallRefused(503, "the kernel has moved to another gateway: try again")
        return record
