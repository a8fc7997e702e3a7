"""The options of a lab's logins, `c.FleetIdentityProvider.…` in its configuration."""

from __future__ import annotations

from typing import cast

from traitlets import Bool, HasTraits, Instance, Int, Unicode, default
from traitlets import Callable as CallableTrait

from jupyter_ext.logins.logins import MOST_OF_A_USER, Logins
from jupyter_ext.logins.renewals import Renewals
from jupyter_ext.logins.sign_in_codes import SignInCodes
from jupyter_ext.platform.rights import Rights
from jupyter_ext.platform.tokens import TokenVerifier


class IdentityOptions(HasTraits):
    """What `FleetIdentityProvider` can be configured with, and what it reads logins and rights with
    by that."""

    public_url = Unicode(
        config=True,
        help="The fleet's address in browsers, such as https://fleet.example: for a proxy that "
        "ends TLS in front of the fleet and does not say so (X-Forwarded-Proto). Calls with a "
        "login's cookie from pages of another address are refused.",
    )
    sign_in_url = Unicode(
        config=True,
        help="Where people sign in at the platform. The login page leads there with ?state=… and "
        "return_to=…; the platform leads back to return_to with a code (docs/protocols.md) and the "
        "same state.",
    )
    allow_token_in_url = Bool(
        False,
        config=True,
        help="Whether every call may carry its token as ?token=…, as desktop editors (VS Code) do "
        "for websockets. Addresses end up in logs of proxies.",
    )
    max_logins = Int(
        MOST_OF_A_USER,
        min=1,
        config=True,
        help="How many logins each user may have, in all browsers: when another one begins, the "
        "oldest one ends.",
    )
    token_verifier = CallableTrait(
        config=True, help="Returns the lab's TokenVerifier, which reads keys; the lab sets it."
    )
    open_logins = CallableTrait(
        config=True, help="Makes the Logins for a TokenVerifier and max_logins; the lab sets it."
    )
    open_renewals = CallableTrait(
        config=True, help="Makes the Renewals for a TokenVerifier and Logins; the lab sets it."
    )
    open_codes = CallableTrait(config=True, help="Makes the SignInCodes; the lab sets it.")
    earlier_labs = CallableTrait(
        config=True,
        help="An async function that says whether labs of the version before are alive; the lab "
        "sets it.",
    )
    verifier = Instance(TokenVerifier)
    rights = Instance(Rights)
    logins = Instance(Logins)
    renewals = Instance(Renewals)
    codes = Instance(SignInCodes)

    @default("verifier")
    def _default_verifier(self) -> TokenVerifier:
        return cast(TokenVerifier, self.token_verifier())

    @default("rights")
    def _default_rights(self) -> Rights:
        return Rights(self.verifier.revocations)

    @default("logins")
    def _default_logins(self) -> Logins:
        return cast(Logins, self.open_logins(self.verifier, self.max_logins))

    @default("renewals")
    def _default_renewals(self) -> Renewals:
        return cast(Renewals, self.open_renewals(self.verifier, self.logins))

    @default("codes")
    def _default_codes(self) -> SignInCodes:
        return cast(SignInCodes, self.open_codes())
