"""An issuer for one machine: a key pair beside the key set that the configuration names, made when it is first needed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from gateway.access.settings import IssuerSettings
from gateway.cli.state_directory import unwritable
from gateway.settings import Settings, SettingsRefused

NAME = "local"


def local_issuer(settings: Settings) -> IssuerSettings | None:
    """Return the issuer `access.issuers.local` with a file of keys, if the configuration has one."""
    issuer = settings.access.issuers.get(NAME)
    return issuer if issuer is not None and issuer.jwks is not None else None


def make_keys(issuer: IssuerSettings) -> ECKey:
    """Return the issuer's private key; it and the key set are written if there are none. Raises SettingsRefused."""
    assert issuer.jwks is not None
    kept = issuer.jwks.with_name("signing-key.json")
    try:
        if kept.exists():
            return ECKey.import_key(json.loads(kept.read_text(encoding="utf-8")))
        key = ECKey.generate_key("P-256", {"kid": os.urandom(8).hex(), "use": "sig", "alg": "ES256"})
        kept.parent.mkdir(parents=True, exist_ok=True)
        _write(kept, json.dumps(key.as_dict(private=True)), mode=0o600)
        _write(issuer.jwks, json.dumps({"keys": [key.as_dict(private=False)]}), mode=0o644)
    except OSError as error:
        raise unwritable(kept.parent, error) from error
    except (ValueError, TypeError, KeyError, JoseError) as error:
        raise SettingsRefused((f"{kept} is no private key; delete it, and another one is made.",)) from error
    return key


def mint(issuer: IssuerSettings, claims: dict[str, object], valid_s: float) -> str:
    """Return a token of the issuer. Raises SettingsRefused where it doesn't sign with ES256."""
    if "ES256" not in issuer.algorithms:
        raise SettingsRefused((f"`access.issuers.{NAME}.algorithms` lacks ES256, with which tokens are made here.",))
    key = make_keys(issuer)
    now = int(time.time())
    whole = {
        "iss": issuer.issuer,
        "aud": issuer.audience[0],
        "iat": now,
        "exp": now + int(valid_s),
        "jti": os.urandom(8).hex(),
        **claims,
    }
    return jws.serialize_compact({"alg": "ES256", "kid": key.kid, "typ": "JWT"}, orjson.dumps(whole), key)


def _write(path: Path, text: str, *, mode: int) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.replace(path)
