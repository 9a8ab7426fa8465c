"""Whose certificates a subgraph may show, and which one is shown to it: TLS and mutual TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


class TlsFilesRefused(Exception):  # noqa: N818 - reads as what it is
    """A certificate or key can't be used; the message names the file, never what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Files in PEM."""

    authority: Path | None = None
    """Certificates to trust in place of the system's."""
    certificate: Path | None = None
    """Ours, with what leads to its authority."""
    key: Path | None = None
    """Of our certificate; None where the same file holds it."""

    def context(self) -> ssl.SSLContext:
        """Return what connections are made with: TLS 1.2 at least, names checked. Raises TlsFilesRefused."""
        try:
            made = ssl.create_default_context(cafile=None if self.authority is None else str(self.authority))
        except (OSError, ssl.SSLError) as error:
            raise TlsFilesRefused(f"{self.authority} holds no certificates: {error.strerror or error}") from error
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            try:
                made.load_cert_chain(self.certificate, self.key)
            except (OSError, ssl.SSLError) as error:
                raise TlsFilesRefused(
                    f"{self.certificate} and its key can't be used: {error.strerror or error}"
                ) from error
        return made
