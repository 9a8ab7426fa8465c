"""The directives by which a supergraph says who may see what.

https://specs.apollo.dev/authenticated/v0.1/, https://specs.apollo.dev/requiresScopes/v0.1/,
https://specs.apollo.dev/policy/v0.1/, and our own `@classified`
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.federation.supergraph.links import Links

ACCESS_DIRECTIVES = ("authenticated", "requiresScopes", "policy", "classified")


def access_directives(links: Links) -> Mapping[str, str]:
    """Return name in the supergraph → directive. One that nobody linked counts by its own name all the same."""
    own = {name: name for name in ACCESS_DIRECTIVES}
    return own | {links.directive(name): name for name in ACCESS_DIRECTIVES}
