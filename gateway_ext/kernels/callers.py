"""Who calls a gateway."""

from collections.abc import Awaitable, Callable

from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.rights import Rights, RightsAway
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

_SCHEMES = ("bearer", "token")


def bearer_token(header: str | None) -> str:
    """The token of an `Authorization` header; raises Refusal (401).

    `Authorization: token …` is accepted too: stock gateway clients send that. A token in a URL is
    not, because URLs are logged.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() not in _SCHEMES or not token.strip():
        raise Refusal(401, "a token is needed: send 'Authorization: Bearer …'")
    return token.strip()


class Callers:
    """Knows callers by their tokens."""

    def __init__(
        self, verifier: TokenVerifier, rights: Rights, first_look: Callable[[], Awaitable[None]]
    ) -> None:
        """Before the first person is let in, `first_look` is awaited: whether tokens were taken
        back is known then."""
        self.verifier = verifier
        self.rights = rights
        self._first_look = first_look

    async def identify(self, header: str | None) -> Identity:
        """The caller that an `Authorization` header identifies, with their roles; raises Refusal
        (401, 503)."""
        token = bearer_token(header)
        try:
            identity = self.verifier.verify(token)
            if identity.service is not None:
                return identity
            before = self.verifier.revocations.version
            await self._first_look()
            if self.verifier.revocations.version != before:
                identity = self.verifier.verify(token)
            return await self.rights.of(identity)
        except TokenError as error:
            raise Refusal(401, str(error)) from error
        except RightsAway as error:
            raise Refusal(503, str(error)) from error
