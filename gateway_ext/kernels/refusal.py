"""Error responses."""

from datetime import datetime
from http.client import responses

from gateway_ext.ownership.launch_status import LaunchStatus
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence import UNREACHABLE, Silence

RETRY_SECONDS = 1


class Refusal(Exception):
    """A call is refused with an HTTP status and a message for people.

    `extra` is added to the response's JSON. A 503 tells the caller when to retry. `for_audit` is
    why, where the caller must not learn it.
    """

    for_audit = ""

    def __init__(self, status: int, message: str, **extra: object) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.extra = extra

    @property
    def body(self) -> dict[str, object]:
        """The JSON of the answer."""
        reason = responses.get(self.status, "Error")
        return {"message": self.message, "reason": reason, **self.extra}

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        if self.status == 503:
            return {"Retry-After": str(RETRY_SECONDS)}
        return {}


def unknown_kernel(kernel_id: str) -> Refusal:
    """No record of the kernel exists, or a user deleted it."""
    return Refusal(404, f"Kernel does not exist: {kernel_id}")


def id_taken(kernel_id: str, why: str = "") -> Refusal:
    """A new kernel cannot have this id. The answer is the same whoever has it, or had it: whoever
    may not see that kernel learns nothing else of it. `why` is for the audit, where it is others'.
    """
    refusal = Refusal(409, f"the kernel id {kernel_id} is taken: choose another one")
    refusal.for_audit = why
    return refusal


def still_launching(record: KernelRecord, status: LaunchStatus | None) -> Refusal:
    """The kernel does not run yet, and the caller has waited for as long as it can. `status` is of
    this gateway's launch, None if another one launches the kernel."""
    status = status or record.launch_status
    words = ""
    if status is not None:
        words = f" ({': '.join(text for text in (status.phase.value, status.message) if text)})"
    return Refusal(
        503,
        f"kernel {record.kernel_id} is still being started{words}: the same request again waits "
        "for it",
        kernel_id=record.kernel_id,
    )


def owner_unknown(kernel_id: str) -> Refusal:
    """The kernel exists, and nobody is known to own it at this moment."""
    return Refusal(503, f"kernel {kernel_id} is moving to another gateway: try again in a moment")


class AgentLeft(Refusal):
    """The agent's connection ended before it answered: it may have done what was asked, or not."""

    def __init__(self, kernel_id: str) -> None:
        refusal = owner_unknown(kernel_id)
        super().__init__(refusal.status, refusal.message)


def unreachable(kernel_id: str, silence: Silence, now: datetime) -> Refusal:
    """The kernel's agent does not answer any gateway. Labs pass that on and do not try again."""
    return Refusal(
        503,
        f"kernel {kernel_id} is unreachable ({silence.reason(now)}): it can only be restarted or "
        "shut down",
        state=UNREACHABLE,
    )
