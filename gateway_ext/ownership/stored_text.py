"""Texts from outside, made fit for the columns of records."""

LONGEST = 10_000
"""Characters; MySQL's TEXT has room for 65,535 bytes."""


def stored_text(text: str, longest: int = LONGEST) -> str:
    """The text as the database can take it: at most `longest` characters, and valid Unicode.

    Agents run beside code of users, and their logs quote it.
    """
    return text[:longest].encode("utf-8", "replace").decode()
