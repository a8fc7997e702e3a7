"""What the kernel said last, outside of its container: the journal's messages go to the store in
parts, through labs.

`parts` decides what is in them, `sender` sends them, `ways` are how. They read the journal and
delay nobody.
"""
