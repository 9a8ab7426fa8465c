"""Tokens for the load: more than connections, so that no two requests under way have the same, and each is verified."""

from __future__ import annotations

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey

ISSUER = "https://issuer.bench.example"
AUDIENCE = "bench"

_COUNT = 2_048
"""Well below what the gateway remembers as verified, and well above any number of connections measured here."""


def write_tokens(tokens: Path, keys: Path) -> None:
    """Write signed tokens, one a line, and the key set that they are verified with. They hold for a day."""
    key = OKPKey.generate_key("Ed25519", parameters={"kid": "bench", "use": "sig", "alg": "Ed25519"})
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 86_400}
    header = {"alg": "Ed25519", "kid": "bench", "typ": "at+jwt"}
    lines = [
        jwt.encode(
            header, {**claims, "sub": f"user-{number}", "client_id": "bench", "jti": str(number)}, key, ["Ed25519"]
        )
        for number in range(_COUNT)
    ]
    tokens.write_text("\n".join(lines) + "\n")
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
