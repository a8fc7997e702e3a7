"""Which gateway the agent connects to next."""

from __future__ import annotations

from collections.abc import Iterable


class GatewayList:
    """The gateways that the agent knows, best first, and those that it has tried in this round."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._first = _unique(urls)
        self._urls = list(self._first)
        self._tried: set[str] = set()

    @property
    def urls(self) -> list[str]:
        """All known gateways, best first."""
        return list(self._urls)

    def welcomed(self, url: str, urls: Iterable[str]) -> None:
        """The gateway that claimed the kernel has sent the list of running gateways.

        Earlier lists are forgotten, because over a long time most of their addresses become stale.
        The addresses from the start stay at the end, because they may be those of a stable service.
        """
        self._urls = _unique([*urls, url, *self._first])

    def prefer(self, urls: Iterable[str]) -> None:
        """Put these gateways first, in this order; the others stay known behind them."""
        self._urls = _unique([*_unique(urls), *self._urls])

    def learn(self, urls: Iterable[str]) -> None:
        """Know these gateways too, behind those that are known."""
        self._urls = _unique([*self._urls, *urls])

    def next(self) -> str | None:
        """The next gateway to try, None if all were tried in this round."""
        return next((url for url in self._urls if url not in self._tried), None)

    def tried(self, url: str) -> None:
        """Do not try this gateway again in this round."""
        self._tried.add(url)

    def new_round(self) -> None:
        """Start a new round: all may be tried again."""
        self._tried.clear()


def _unique(urls: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(url.rstrip("/") for url in urls))
