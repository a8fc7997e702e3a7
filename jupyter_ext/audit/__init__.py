"""Who did what, and what was refused: events of requests and of what happens outside of them.

Labs and gateways write them, through jupyter_events, to a file, the log or a webhook. Nothing here
knows routes, logins, contents, sessions or kernels: each server has a table of what its calls are.
"""
