"""What a person is asked before a link signs their browser in."""


def question(name: str, other: str, *, led: bool) -> str:
    """What they must know who may become `name`; empty if nobody need be asked.

    `other` is who else is signed in with this browser, `led` whether a page may have led here:
    another page may sign its reader in as somebody who wants to see what they do.
    """
    why = [
        "A link has led you here." if led else "",
        f"This browser is signed in as {other}, who is signed out by that." if other else "",
    ]
    if not any(why):
        return ""
    watched = (
        f"If you did not expect this name, close this tab: {name} can see what you do after you "
        "have signed in."
    )
    return " ".join(filter(None, [*why, watched]))
