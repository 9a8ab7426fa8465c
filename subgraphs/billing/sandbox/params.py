"""Typed access to a request's parameters, with Stripe's refusals for unknown, missing and malformed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.form import Form, FormValue


class _Absent:
    """The parameter was not sent (unlike "", which unsets)."""


ABSENT: Final = _Absent()


class Params:
    """One level of a request's parameters. Names are remembered as read; `finish` refuses the ones nobody read."""

    def __init__(self, form: Mapping[str, FormValue], path: str = "") -> None:
        self._form = form
        self._path = path
        self._read: set[str] = set()
        self._below: list[Params] = []

    def _name(self, key: str) -> str:
        return f"{self._path}[{key}]" if self._path else key

    def _take(self, key: str) -> FormValue | _Absent:
        self._read.add(key)
        return self._form.get(key, ABSENT)

    def __contains__(self, key: str) -> bool:
        self._read.add(key)
        return key in self._form

    def unset(self, key: str) -> bool:
        """Whether the parameter was sent empty, which clears the field."""
        return self._take(key) == ""

    def text(self, key: str) -> str | None:
        """Return a string, or None when absent or empty."""
        value = self._take(key)
        if isinstance(value, _Absent) or value == "":
            return None
        if not isinstance(value, str):
            raise StripeError.invalid(f"Invalid string: {self._name(key)}", param=self._name(key))
        if len(value) > 5_000:
            raise StripeError.invalid(
                f"Invalid string: {value[:20]}…; must be at most 5000 characters", param=self._name(key)
            )
        return value

    def required(self, key: str) -> str:
        """Return a string that has to be there."""
        value = self.text(key)
        if value is None:
            raise StripeError.missing_param(self._name(key))
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str | None:
        """Return one of `allowed`, or None."""
        value = self.text(key)
        if value is not None and value not in allowed:
            raise StripeError.invalid(
                f"Invalid {self._name(key)}: must be one of {', '.join(allowed[:-1])}, or {allowed[-1]}",
                param=self._name(key),
            )
        return value

    def integer(self, key: str, *, low: int | None = None, high: int | None = None) -> int | None:
        """Return an integer within [low, high], or None."""
        value = self.text(key)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
            raise StripeError.invalid(
                f"Invalid integer: {value[:40]}", code="parameter_invalid_integer", param=self._name(key)
            )
        number = int(value)
        if low is not None and number < low:
            raise StripeError.invalid(
                f"This value must be greater than or equal to {low}.",
                code="parameter_invalid_integer",
                param=self._name(key),
            )
        if high is not None and number > high:
            raise StripeError.invalid(
                f"This value must be less than or equal to {high} (it currently is '{number}').",
                code="parameter_invalid_integer",
                param=self._name(key),
            )
        return number

    def boolean(self, key: str) -> bool | None:
        """Return true or false, or None."""
        value = self.text(key)
        if value is None:
            return None
        if value not in {"true", "false"}:
            raise StripeError.invalid(f"Invalid boolean: {value[:40]}", param=self._name(key))
        return value == "true"

    def nested(self, key: str) -> Params | None:
        """Return an object parameter, or None when absent or empty."""
        value = self._take(key)
        if isinstance(value, _Absent) or value == "":
            return None
        if not isinstance(value, dict):
            raise StripeError.invalid("Invalid object", param=self._name(key))
        return self._descend(value, self._name(key))

    def items(self, key: str) -> list[Params] | None:
        """Return a list of objects, or None when absent."""
        value = self._take(key)
        if isinstance(value, _Absent):
            return None
        if value == "":
            return []
        if not isinstance(value, list):
            raise StripeError.invalid("Invalid array", param=self._name(key))
        found: list[Params] = []
        for index, entry in enumerate(value):
            name = f"{self._name(key)}[{index}]"
            if not isinstance(entry, dict):
                raise StripeError.invalid("Invalid object", param=name)
            found.append(self._descend(entry, name))
        return found

    def strings(self, key: str) -> list[str]:
        """Return a list of strings; one value without brackets counts as a list of one."""
        value = self._take(key)
        if isinstance(value, _Absent) or value == "":
            return []
        entries = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, str) for entry in entries):
            raise StripeError.invalid("Invalid array", param=self._name(key))
        return [str(entry) for entry in entries]

    def metadata(self, current: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return `current` with the sent keys merged in; an empty value removes its key, an empty map all of them."""
        value = self._take("metadata")
        merged = dict(current or {})
        if isinstance(value, _Absent):
            return merged
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise StripeError.invalid("Invalid object", param=self._name("metadata"))
        for key, entry in value.items():
            name = f"{self._name('metadata')}[{key}]"
            if not isinstance(entry, str):
                raise StripeError.invalid("Metadata values must be strings.", param=name)
            if len(key) > 40 or len(entry) > 500:
                raise StripeError.invalid(
                    "Metadata keys can be at most 40 characters and values at most 500.", param=name
                )
            if entry:
                merged[key] = entry
            else:
                merged.pop(key, None)
        if len(merged) > 50:
            raise StripeError.invalid("You can have at most 50 metadata keys.", param=self._name("metadata"))
        return merged

    def address(self, key: str) -> dict[str, str | None] | None:
        """Return a postal address with all six members, or None when absent."""
        below = self.nested(key)
        if below is None:
            return None
        return {part: below.text(part) for part in ("city", "country", "line1", "line2", "postal_code", "state")}

    def finish(self) -> None:
        """Refuse parameters that no endpoint code asked for."""
        for key in self._form:
            if key not in self._read:
                raise StripeError.invalid(
                    f"Received unknown parameter: {self._name(key)}", code="parameter_unknown", param=self._name(key)
                )
        for below in self._below:
            below.finish()

    def _descend(self, form: Form, path: str) -> Params:
        below = Params(form, path)
        self._below.append(below)
        return below
