"""What a refusal says of the schema beyond what was asked: names that the caller did not know."""

from __future__ import annotations

import re
from dataclasses import replace

from gateway.errors import GatewayError

_SUGGESTION = re.compile(r"\s*Did you mean .*", re.DOTALL)


def without_suggestion(error: GatewayError) -> GatewayError:
    """Return the refusal without names that only the schema knows."""
    return replace(error, message=_SUGGESTION.sub("", error.message))
