"""What clients and agents call: routes, tokens, websockets, and calls passed on to the owner."""
