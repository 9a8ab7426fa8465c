"""Prints the registry of errors as a page: `python -m gateway.cli.print_errors`."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import REGISTRY

PAGE = Path(__file__).parents[2] / "schema" / "errors.md"


def print_errors() -> str:
    """The page: each code with its class, HTTP status, whether to retry, and its sentence."""
    rows = (
        f"| `{row.code}` | {row.error_class} | {row.http_status} | {'yes' if row.retryable else 'no'} | {row.sentence} |"
        for row in REGISTRY.values()
    )
    return "\n".join(
        (
            "# Errors of the gateway",
            "",
            "Printed from [`gateway/errors.py`](../gateway/errors.py) by `python -m gateway.cli.print_errors`. Every entry of",
            "`errors` has `extensions.code`, `class`, `system` and `retryable`. The status is that of a response without",
            "data; `retryable` is true only if the same request, with the same idempotency key, is safe to repeat and may",
            "succeed.",
            "",
            "| code | class | status | retryable | sentence |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        )
    )


if __name__ == "__main__":
    PAGE.write_text(print_errors(), encoding="utf-8")
