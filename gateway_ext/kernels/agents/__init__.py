"""The gateway's end of the agents' connections: who is let in, and what goes over a link."""
