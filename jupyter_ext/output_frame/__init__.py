"""The page in which pages draw outputs that their users do not trust.

It is one static page, the same for everybody, on a path of its own (`/fleet/frame`), because the
other kinds of frames (`srcdoc`, `blob:`) inherit the policy of the page around them. Its header
takes its origin away: scripts in it reach no API, no cookie and no page. `docs/protocols.md` has
what it and a page say to each other.

- `frame.html`, `frame.css`, `frame.js`: the page
- `frame_policy`: its headers
- `frame_handler`: the route
- `frame_host`: a host name of its own for it
"""
