"""Names and values of the headers that labs, gateways and agents send to each other."""

DIRECT_HEADER = "X-Fleet-Routing"
DIRECT = "direct"
"""The caller (a lab, or a gateway that relays) looks up the owner itself."""

PLACEMENT_HEADER = "X-Fleet-Placement"
HERE = "here"
"""Start the kernel here: another gateway has chosen this one."""

START_HEADER = "X-Fleet-Start"
ASYNC = "async"
"""Answer a start as soon as the kernel's record is written, while the kernel is being launched."""

DIAL_HEADER = "X-Fleet-Agent-Proof"
"""The header with which an agent connects; `proof.dial_header` makes its value."""

TAKES_TOKENS_HEADER = "X-Fleet-Takes-Tokens"
"""With the value TAKES_TOKENS in a gateway's answer to a handshake of `fleet.v1`: it goes on with a
newer token that comes as a text frame."""
TAKES_TOKENS = "1"
