"""The event of a login's renewal, which no call of its own asks for."""

from __future__ import annotations

from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome
from jupyter_ext.audit.request_event import LOGIN_DIGITS
from jupyter_ext.logins.renewals import Became, Renewal

_OUTCOMES = {
    Became.RENEWED: Outcome.ALLOWED,
    Became.REFUSED: Outcome.DENIED,
    Became.FAILED: Outcome.FAILED,
}


def renewal_event(renewal: Renewal) -> AuditEvent:
    """What has become of a try to renew a login at its platform."""
    return AuditEvent(
        "login.renew",
        Kind.CHANGE,
        _OUTCOMES[renewal.became],
        Actor("user", renewal.user, renewal.digest[:LOGIN_DIGITS]),
        reason=renewal.reason,
    )
