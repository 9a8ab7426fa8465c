"""`concord access`: make service keys, and tokens to try the graph with as somebody else."""

from __future__ import annotations

import re
import secrets
import sys
from hashlib import sha256
from typing import Annotated

import typer

from gateway.cli.local_issuer import local_issuer, mint
from gateway.cli.options import CONFIG, ConfigOption
from gateway.settings import SettingsRefused, load_settings

access = typer.Typer(no_args_is_help=True)


@access.callback()
def credentials() -> None:
    """Make credentials: service keys for machines, and tokens to see a sandbox's graph as somebody else does.

    Who may call, and what they then see, is the table `[access]` of the configuration and the directives of the schema.

    Example: `concord access token ada --scope customers:read`
    """


@access.command()
def key(
    name: Annotated[str, typer.Argument(help="What the machine is called, as in logs and limits.")],
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; repeat it for more.")] = None,
) -> None:
    """Make a service key. The configuration gets its hash; the key is shown once and is for the machine alone.

    Example: `concord access key nightly-export --scope revenue:read`
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise typer.BadParameter("A name has small letters, digits, - and _.")
    made = secrets.token_urlsafe(32)
    scopes = ", ".join(f'"{each}"' for each in scope or ())
    sys.stderr.write(f"Send it as `X-Api-Key: {made}`. For the configuration:\n\n")
    sys.stdout.write(f'[access.keys.{name}]\nsha256 = "{sha256(made.encode()).hexdigest()}"\nscopes = [{scopes}]\n')


@access.command()
def token(
    subject: Annotated[str, typer.Argument(help="Who you want to be.")],
    scope: Annotated[list[str] | None, typer.Option(help="A scope; repeat it for more.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role; repeat it for more.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="A region to confine data to; repeat it for more.")] = None,
    business_unit: Annotated[
        list[str] | None, typer.Option(help="A business unit to confine data to; repeat it for more.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="The organisation to act for.")] = None,
    contract: Annotated[str | None, typer.Option(help="The variant of the graph to be confined to.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="How long it holds.")] = 60,
    config: ConfigOption = CONFIG,
) -> None:
    """Print a token of this machine's own issuer, `access.issuers.local`.

    Example: `concord access token ada --scope customers:read`
    """
    issuer = local_issuer(load_settings(config))
    if issuer is None:
        raise SettingsRefused(("There is no `access.issuers.local` with a `jwks` file to make tokens for.",))
    names = issuer.claims
    claims: dict[str, object] = {"sub": subject, names.scopes: " ".join(scope or ()), names.roles: role or []}
    for dimension, values in (("region", region), ("business_unit", business_unit)):
        if values is not None:
            claims[names.filters.get(dimension, f"{dimension}s")] = values
    if tenant is not None:
        claims[names.tenant] = tenant
    if contract is not None:
        claims[names.contract] = contract
    sys.stdout.write(mint(issuer, claims, minutes * 60) + "\n")
