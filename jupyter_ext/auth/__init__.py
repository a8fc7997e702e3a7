"""Who is asking, and which routes they may use.

For every request, the identity provider turns a platform token into a user; the route policy then
allows the route by name or refuses it. Which files and kernels the user may access is decided
elsewhere (contents, sessions, the gateway), with the same identity. Nothing here may read contents,
sessions or kernels.
"""
