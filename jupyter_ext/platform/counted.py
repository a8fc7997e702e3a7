"""Counts in messages: singular and plural."""


def counted(number: int, noun: str) -> str:
    """`1 kernel`, `2 kernels`: for nouns whose plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
