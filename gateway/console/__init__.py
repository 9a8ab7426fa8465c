"""What a person sees in a browser: the query page, served without any outside request."""

from gateway.console.console import Console, console

__all__ = ["Console", "console"]
