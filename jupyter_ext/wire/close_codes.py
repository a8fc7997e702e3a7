"""Close codes for clients' websockets (docs/protocols.md), and a few of RFC 6455."""

PROTOCOL_ERROR = 1002
BAD_MESSAGE = 1007
TOO_MUCH = 1009
INTERNAL_ERROR = 1011
OWNER_CHANGES = 1012
"""Look the kernel's owner up again."""
TRY_AGAIN = 1013
NOT_ACCEPTED = 4401
"""The token is not accepted, or no longer."""
NOT_ALLOWED = 4403
NO_SUCH_KERNEL = 4404
NO_CURSOR = 4406
"""The kernel's agent or its owner is of the version before, which has no journal ID."""
TOO_MANY = 4429
"""The kernel has no place for one more websocket of this person, or at all."""

FINAL = {401: NOT_ACCEPTED, 403: NOT_ALLOWED, 404: NO_SUCH_KERNEL}
"""HTTP statuses after which retrying is useless, and the close codes for them."""

OF_STATUS = {**FINAL, 503: TRY_AGAIN}
"""The close codes for what ends a websocket that is open."""
