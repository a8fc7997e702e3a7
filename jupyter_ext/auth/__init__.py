"""Who is asking, and which routes they may use.

The identity provider turns a platform token into a user for every request; the route policy then
allows the route by name or refuses it. What somebody may do within a project's files or with one
kernel is decided where those are (contents, sessions, the gateway), by the same identity. Nothing
here may read contents, sessions or kernels.
"""
