"""Which gateway the agent dials next."""

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
        """A gateway that claimed the kernel named the gateways that live now.

        Those of before are forgotten, or a long life would gather addresses that nobody answers at;
        the ones from the start stay, last, because they may be a service that never moves.
        """
        self._urls = _unique([*urls, url, *self._first])

    def prefer(self, urls: Iterable[str]) -> None:
        """Put these gateways first, in this order; the others stay known behind them."""
        self._urls = _unique([*_unique(urls), *self._urls])

    def learn(self, urls: Iterable[str]) -> None:
        """Know these gateways too, behind those that are known."""
        self._urls = _unique([*self._urls, *urls])

    def next(self) -> str | None:
        """A gateway to dial, None when all were tried in this round."""
        return next((url for url in self._urls if url not in self._tried), None)

    def tried(self, url: str) -> None:
        """This gateway did not serve us in this round."""
        self._tried.add(url)

    def new_round(self) -> None:
        """All may be tried again."""
        self._tried.clear()


def _unique(urls: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(url.rstrip("/") for url in urls))
