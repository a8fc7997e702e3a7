"""Labs and gateways collect no garbage while they start.

What a server imports and makes while it starts is nearly all permanent. The garbage collector would
visit these objects again and again: a third of the processor time of a lab's start.
"""

import gc


def leave_it() -> None:
    """Collect nothing until `collect_from_now` is called; for the first lines of a program."""
    gc.disable()


def collect_from_now() -> None:
    """The server has started: collect what becomes garbage from now on.

    The present objects are never visited again: that would block the event loop for some 90 ms at a
    time. The little garbage among them (2,000 objects) costs less than finding it.
    """
    gc.freeze()
    gc.enable()
