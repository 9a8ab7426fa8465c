"""A key that verifies signatures: read from JSON, and asked whether its private part signed a text.

<https://www.rfc-editor.org/rfc/rfc7517>, <https://www.rfc-editor.org/rfc/rfc7518>, <https://www.rfc-editor.org/rfc/rfc8037>
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, TypeAlias

# Each kind from its own module. A library of all that tokens can be would bring certificates, ciphers and private keys
# with it, two megabytes of every serving process.
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

_LEAST_RSA_BITS = 2048
_CURVES = {"P-256": SECP256R1(), "P-384": SECP384R1(), "P-521": SECP521R1()}
_HASHES = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_CURVE_OF = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
"""Each of these algorithms has a curve of its own."""


def read_public_key(document: Mapping[str, Any]) -> PublicKey | None:
    """Return the key that a JSON Web Key is, or None where it is none that can verify, or too weak.

    Only what verifies is looked at: a private part, where somebody published one, is not even read.
    """
    try:
        match document:
            case {"kty": "RSA", "n": str(n), "e": str(e)}:
                key = RSAPublicNumbers(_number(e), _number(n)).public_key()
                return key if key.key_size >= _LEAST_RSA_BITS else None
            case {"kty": "EC", "crv": str(curve), "x": str(x), "y": str(y)} if curve in _CURVES:
                return EllipticCurvePublicNumbers(_number(x), _number(y), _CURVES[curve]).public_key()
            case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
                return Ed25519PublicKey.from_public_bytes(_octets(x))
            case {"kty": "OKP", "crv": "Ed448", "x": str(x)}:
                return Ed448PublicKey.from_public_bytes(_octets(x))
            case _:
                return None  # `oct` above all: a shared secret must never become a key that verifies
    except (ValueError, UnsupportedAlgorithm):
        return None


def can_verify(key: PublicKey, algorithm: str) -> bool:
    """Whether a key is of the kind that an algorithm is for."""
    match key:
        case RSAPublicKey():
            return algorithm[:2] in ("RS", "PS")
        case EllipticCurvePublicKey():
            return _CURVE_OF.get(algorithm) == key.curve.name
        case Ed25519PublicKey():
            return algorithm in ("EdDSA", "Ed25519")
        case Ed448PublicKey():
            return algorithm in ("EdDSA", "Ed448")


def has_signed(key: PublicKey, algorithm: str, text: bytes, signature: str) -> bool:
    """Whether the key's owner signed the text; `signature` is in base64 of the one form that stands for it."""
    if not can_verify(key, algorithm):
        return False
    try:
        given = _octets(signature)
        match key:
            case RSAPublicKey():
                digest = _HASHES[algorithm[2:]]
                padding = PSS(MGF1(digest), digest.digest_size) if algorithm.startswith("PS") else PKCS1v15()
                key.verify(given, text, padding, digest)
            case EllipticCurvePublicKey():
                size = (key.key_size + 7) // 8
                if len(given) != 2 * size:
                    return False
                halves = (int.from_bytes(given[:size], "big"), int.from_bytes(given[size:], "big"))
                key.verify(encode_dss_signature(*halves), text, ECDSA(_HASHES[algorithm[2:]]))
            case _:
                key.verify(given, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _number(text: str) -> int:
    return int.from_bytes(_octets(text), "big")


def _octets(text: str) -> bytes:
    """Decode base64url without padding. Raises ValueError, also where bits are left over that mean nothing."""
    octets = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Else a signature would have several texts, each of which makes another token of it.
    if urlsafe_b64encode(octets).rstrip(b"=") != text.encode():
        raise binascii.Error("not the one text of these octets")
    return octets
