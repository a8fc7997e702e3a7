"""A platform that signs people in, says what they may do, and renews their tokens."""

import json
import time
from pathlib import Path
from typing import Any

import jwt

from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.servers.scripted_http import Answer, Request, ScriptedServer

SECRET = "of-the-fleet"


class ScriptedPlatform(ScriptedServer):
    """`/jwks`, `/rights` and `/renew`. `roles` has each user's; others are not known."""

    def __init__(self, folder: Path) -> None:
        create_keys(folder / "platform.pem", folder / "platform.json")
        (folder / "platform-secret").write_text(SECRET)
        self._folder = folder
        self._signer = TokenSigner(folder / "platform.pem")
        self.roles: dict[str, dict[str, str]] = {}
        self.signed_out: set[str] = set()
        self.life = 3600.0
        """How many seconds the tokens live that it renews."""
        super().__init__()

    def issuer(self, **more: Any) -> dict[str, Any]:
        """As it stands in a fleet's own key file."""
        issuer = {"jwks_url": f"{self.url}/jwks", "issuer": self.url}
        secret = str(self._folder / "platform-secret")
        return {**issuer, "secret_file": secret, **more}

    def sign(self, user: str, seconds: float, *, age: float = 0.0, **projects: str) -> str:
        """A token that was issued `age` seconds ago, and claims roles."""
        now = int(time.time())
        claims = {"sub": user, "aud": "jupyter-fleet", "iss": self.url, "iat": now - age}
        claims |= {"exp": now + seconds, "projects": projects}
        headers = {"kid": self._signer._key_id}
        return jwt.encode(claims, self._signer._key, algorithm="EdDSA", headers=headers)

    def answer(self, request: Request) -> Answer:
        if request.path == "/jwks":
            return Answer(body=json.loads((self._folder / "platform.json").read_bytes()))
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return Answer(401)
        if request.path == "/rights":
            roles = self.roles.get(request.body["user"])
            return Answer(404) if roles is None else Answer(body={"projects": roles})
        claims = jwt.decode(request.body["token"], options={"verify_signature": False})
        user = claims["sub"]
        if user in self.signed_out:
            return Answer(403)
        return Answer(body={"token": self.sign(user, self.life, **claims["projects"])})
