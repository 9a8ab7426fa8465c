"""Signatures of every kind that an issuer may be configured with."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from guarded import Scripted, composed, gate_to
from joserfc.jwk import ECKey, OKPKey, RSAKey
from key_server import AUDIENCE, ISSUER, encoded

from gateway.access.settings import AccessSettings, Algorithm, IssuerSettings
from gateway.engine import Engine

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # issuers have it all the same

ALGORITHMS = get_args(Algorithm)
SDL = "type Query { who: String }"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def made_for(algorithm):
    match algorithm:
        case "ES256" | "ES384" | "ES512":
            return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])
        case "EdDSA" | "Ed25519" | "Ed448":
            return OKPKey.generate_key("Ed448" if algorithm == "Ed448" else "Ed25519")
        case _:
            return RSAKey.generate_key(2048)


@asynccontextmanager
async def gate_of(issuer, *algorithms):
    settings = IssuerSettings(issuer=ISSUER, audience=(AUDIENCE,), algorithms=algorithms, jwks_url=issuer.url)
    engine = Engine(composed(graph=SDL), {"graph": Scripted(SDL, {"who": lambda: "somebody"})})
    try:
        async with gate_to(engine, AccessSettings(issuers={"login": settings})) as gate:
            yield gate
    finally:
        engine.close()


async def status(gate, token):
    return (await gate.post("{ who }", token)).status_code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_signature_of_every_accepted_kind_lets_in_and_no_other_text_of_it_does(issuer, algorithm):
    issuer.add("it", made_for(algorithm))
    token = issuer.token("it", header={"alg": algorithm})
    signed, _, signature = token.rpartition(".")
    async with gate_of(issuer, algorithm) as gate:
        assert await status(gate, token) == 200
        changed = LETTERS[LETTERS.index(signature[5]) ^ 1]
        assert await status(gate, f"{signed}.{signature[:5]}{changed}{signature[6:]}") == 401
        assert await status(gate, f"{signed}.{signature[:-4]}") == 401
        assert await status(gate, f"{signed}.{signature}AAAA") == 401
        if len(signature) % 4:  # the last letter has bits that stand for nothing
            assert await status(gate, f"{signed}.{signature[:-1]}{LETTERS[LETTERS.index(signature[-1]) ^ 1]}") == 401


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_is_signed_in_one_way_does_not_pass_for_another(issuer, algorithm):
    issuer.add("it", made_for(algorithm))
    token = issuer.token("it", header={"alg": algorithm})
    _, claims, signature = token.split(".")
    async with gate_of(issuer, *ALGORITHMS) as gate:
        assert await status(gate, token) == 200
        for other in ALGORITHMS:
            if other != algorithm:
                header = encoded({"alg": other, "kid": "it", "typ": "JWT"})
                assert await status(gate, f"{header}.{claims}.{signature}") == 401, other


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_an_rsa_key_of_fewer_than_2048_bits_is_none(issuer):
    private = generate_private_key(65537, 1024)
    numbers = private.public_key().public_numbers()
    n, e = (encoded(each.to_bytes((each.bit_length() + 7) // 8, "big")) for each in (numbers.n, numbers.e))
    issuer.published = [{"kty": "RSA", "n": n, "e": e, "kid": "first"}]
    _, claims, _ = issuer.token("first").split(".")
    signed = f"{encoded({'alg': 'RS256', 'kid': 'first', 'typ': 'JWT'})}.{claims}"
    signature = private.sign(signed.encode(), PKCS1v15(), SHA256())
    async with gate_of(issuer, "RS256") as gate:
        assert await status(gate, f"{signed}.{encoded(signature)}") == 401
