"""What the kernel said last, outside of its container: the journal's messages go to the gateway in
parts, and from there to the store.

`parts` decides what is in them, `sender` sends them. They read the journal and delay nobody.
"""
