"""Makes texts from outside fit into columns of records."""

LONGEST = 10_000
"""Characters; MySQL's TEXT has room for 65,535 bytes."""


def stored_text(text: str, longest: int = LONGEST) -> str:
    """The text as the database can store it: at most `longest` characters, and valid Unicode.

    Texts of agents can quote output of users' code.
    """
    return text[:longest].encode("utf-8", "replace").decode()
