"""Names and values of the headers that labs, gateways and agents send to each other."""

DIRECT_HEADER = "X-Fleet-Routing"
DIRECT = "direct"
"""The caller looks for the owner itself: a lab, or a gateway that relays."""

PLACEMENT_HEADER = "X-Fleet-Placement"
HERE = "here"
"""The start of a kernel is meant for the gateway that gets it: another one has chosen it."""

DIAL_HEADER = "X-Fleet-Agent-Proof"
"""With which an agent dials; `proof.dial_header` makes its value."""
