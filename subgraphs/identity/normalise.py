"""Brings references, tax ids, domains and names into the form in which they are compared."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_LEGAL_FORMS = frozenset(
    [
        "ab",
        "ag",
        "aps",
        "as",
        "asa",
        "bv",
        "co",
        "company",
        "corp",
        "corporation",
        "gmbh",
        "group",
        "holding",
        "inc",
        "incorporated",
        "kg",
        "limited",
        "llc",
        "llp",
        "ltd",
        "nv",
        "oy",
        "oyj",
        "plc",
        "pty",
        "sa",
        "sarl",
        "sas",
        "se",
        "spa",
        "srl",
        "the",
        "ug",
    ]
)
_PUBLIC_DOMAINS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "yahoo.com",
        "icloud.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "proton.me",
        "protonmail.com",
        "mail.com",
    ]
)
_MIN_TAX_ID = 5


def normalise_reference(text: str | None) -> str | None:
    """Return a customer reference to compare: `" cust-0001 "` → `"CUST-0001"`."""
    return (text or "").strip().upper() or None


def normalise_tax_id(text: str | None) -> str | None:
    """Return letters and digits only: `"DE 123.456.789"` → `"DE123456789"`; None for what is too short to tell apart."""
    kept = "".join(character for character in (text or "").upper() if character.isalnum())
    return kept if len(kept) >= _MIN_TAX_ID else None


def normalise_domain(text: str | None) -> str | None:
    """Return the host of a domain or URL: `"https://www.Acme.example/x"` → `"acme.example"`; None for mail providers."""
    host = (text or "").strip().lower().rpartition("://")[2].rpartition("@")[2]
    host = re.split(r"[/:?#]", host, maxsplit=1)[0].rstrip(".").removeprefix("www.")
    return host if _DOMAIN.fullmatch(host) and host not in _PUBLIC_DOMAINS else None


def normalise_name(text: str | None) -> str | None:
    """Return words without case, accents, punctuation and legal form: `"Müller & Söhne GmbH"` → `"muller and sohne"`."""
    # Decomposed before the case is folded, since a decorated letter may hide a capital one, and after: folding composes.
    folded = unicodedata.normalize("NFKD", text or "").casefold().replace("&", " and ")
    decomposed = unicodedata.normalize("NFKD", folded)
    words = _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)).replace("_", " "))
    return " ".join([word for word in words if word not in _LEGAL_FORMS] or words) or None


def name_similarity(one: str, other: str) -> float:
    """Return how alike two normalised names are, 0 to 1: Dice's coefficient of their trigrams."""
    if one == other:
        return 1.0
    first, second = _trigrams(one), _trigrams(other)
    return 2 * len(first & second) / (len(first) + len(second))


def _trigrams(text: str) -> frozenset[str]:
    padded = f"  {text} "
    return frozenset(padded[start : start + 3] for start in range(len(padded) - 2))
