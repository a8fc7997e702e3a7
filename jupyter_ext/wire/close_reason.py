"""The reason with which a websocket is closed."""

MOST_BYTES = 123
"""What a close frame has room for (RFC 6455)."""
_MORE = "…"


def close_reason(text: str) -> str:
    """`text`, or as many whole words of it as a close frame holds."""
    if len(text.encode()) <= MOST_BYTES:
        return text
    fits = text.encode()[: MOST_BYTES - len(_MORE.encode())].decode(errors="ignore")
    whole = fits if text[len(fits)].isspace() else fits.rsplit(" ", 1)[0]
    return whole.rstrip(" ,;:(") + _MORE
