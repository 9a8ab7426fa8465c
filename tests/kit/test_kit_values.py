"""Ids, amounts, cursors and signatures: what goes in comes out, and nothing else is taken."""

import asyncio
from decimal import Decimal

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from gateway.writes import minor_unit as of_the_gateway
from subgraphs.kit import minor_unit
from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities
from subgraphs.kit.connection import PageWindow, connection_of, encode_cursor, page_window, parse_cursor
from subgraphs.kit.global_id import encode_global_id, local_id, parse_global_id
from subgraphs.kit.money import Money, parse_decimal, print_decimal, sum_money
from subgraphs.kit.record_loader import RecordLoader, record_loader
from subgraphs.kit.signature import SignatureInvalidError, sign, verify
from subgraphs.kit.system_error import BadUserInputError, FieldError, VendorUnavailableError


@given(st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True), st.text(min_size=1))
def test_a_global_id_comes_back(type_name: str, local: str) -> None:
    try:
        encoded = encode_global_id(type_name, local)
    except UnicodeEncodeError:
        return
    assert parse_global_id(encoded) == (type_name, local)
    assert local_id(encoded, type_name) == local
    with pytest.raises(BadUserInputError):
        local_id(encoded, type_name + "X")


@given(st.text())
def test_anything_else_is_no_global_id(text: str) -> None:
    try:
        type_name, local = parse_global_id(text)
    except BadUserInputError:
        return
    assert encode_global_id(type_name, local) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_a_decimal_stays_exact(number: Decimal) -> None:
    assert parse_decimal(print_decimal(number)) == number
    assert "E" not in print_decimal(number)


@pytest.mark.parametrize("value", [1.5, "NaN", "Infinity", "1e99", "x", "", None, True, [], "9" * 60])
def test_what_is_not_exact_is_no_decimal(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_decimal(value)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("12.5", "EUR", "12.50"),
        ("1250.0000", "USD", "1250.00"),
        ("0.005", "USD", "0.005"),
        ("0", "USD", "0.00"),
        ("12.345", "KWD", "12.345"),
        ("12.3", "KWD", "12.300"),
        ("500.00", "JPY", "500"),
        ("1E+3", "JPY", "1000"),
        ("0.5", "JPY", "0.5"),
        ("-1.10", "CLF", "-1.1000"),
        ("12345678901234567890123456789012345.678", "KWD", "12345678901234567890123456789012345.678"),
    ],
)
def test_an_amount_is_shown_as_its_owner_has_it(amount: str, currency: str, shown: str) -> None:
    """With at least the decimals that its currency has, and with none of its own lost."""
    assert print_decimal(Money.of(Decimal(amount), currency).amount) == shown


def test_money_of_two_currencies_has_no_sum() -> None:
    euro, dollar = Money.of(Decimal("1.005"), "EUR"), Money.of(Decimal(2), "USD")
    assert sum_money([euro, euro]) == Money.of(Decimal("2.01"), "EUR")
    assert sum_money([euro, dollar]) is None
    assert sum_money([]) is None


@given(st.integers(0, 30), st.integers(1, 7))
def test_pages_from_either_end_are_the_list(count: int, size: int) -> None:
    nodes = [f"n{number}" for number in range(count)]
    forward: list[str] = []
    after = None
    while True:
        page = connection_of(nodes, page_window(first=size, after=after), identity=str)
        forward += [edge.node for edge in page.edges]
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    backward: list[str] = []
    before = None
    while True:
        page = connection_of(nodes, page_window(last=size, before=before), identity=str)
        backward = [edge.node for edge in page.edges] + backward
        before = page.page_info.start_cursor
        if not page.page_info.has_previous_page:
            break
    assert forward == backward == nodes
    assert page.total_count == count


def test_a_page_goes_on_where_it_was_when_its_last_item_has_gone() -> None:
    cursor = connection_of(["a", "b", "c"], PageWindow(size=2), identity=str).page_info.end_cursor
    page = connection_of(["a", "c"], page_window(first=5, after=cursor), identity=str)
    assert [edge.node for edge in page.edges] == ["c"]
    page = connection_of(["x", "a", "b", "c"], page_window(first=5, after=cursor), identity=str)
    assert [edge.node for edge in page.edges] == ["c"]


def test_a_cursor_of_a_list_of_other_things_is_refused() -> None:
    of_texts = connection_of(["a", "b"], PageWindow(size=1), identity=str).page_info.end_cursor
    for window in (page_window(first=1, after=of_texts), page_window(last=1, before=of_texts)):
        with pytest.raises(BadUserInputError, match="not one of this list"):
            connection_of([1, 2], window, identity=str)
        assert connection_of([], window, identity=str).edges == []


@given(st.lists(st.none() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")), max_size=4))
def test_a_cursor_comes_back(values: list[object]) -> None:
    assert parse_cursor(encode_cursor(*values)) == tuple(values)  # type: ignore[arg-type]


@pytest.mark.parametrize("cursor", ["", "x", "e30", "W3t9XQ", "=", "ü", "W10==", "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd"])
def test_anything_else_is_no_cursor(cursor: str) -> None:
    with pytest.raises(BadUserInputError):
        parse_cursor(cursor)


def test_a_signature_is_good_for_its_body_its_secret_and_five_minutes() -> None:
    header = sign("s", b"body", at=1000)
    verify("s", b"body", header, at=1299)
    for secret, body, value, at in [
        ("s", b"body", header, 1301),
        ("s", b"body", header, 699),
        ("t", b"body", header, 1000),
        ("s", b"body2", header, 1000),
        ("s", b"body", None, 1000),
        ("s", b"body", "t=x,v1=y", 1000),
        ("s", b"body", "t=1000", 1000),
        ("s", b"body", "t=1000,v1=ü", 1000),
    ]:
        with pytest.raises(SignatureInvalidError):
            verify(secret, body, value, at=at)


class Numbers:
    """An adaptor whose records are its ids."""

    capabilities = Capabilities(batch_mode=BatchMode.NATIVE, max_ids_per_call=3, absence=Absence.LEFT_OUT)

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def read(self, ids: object) -> dict[str, str | FieldError]:
        keys = list(ids)  # type: ignore[call-overload]
        self.calls.append(keys)
        if "down" in keys:
            raise VendorUnavailableError("down")
        return {key: BadUserInputError("bad") if key == "bad" else key for key in reversed(keys) if key != "none"}


async def test_a_loader_asks_once_cuts_to_size_and_fails_key_by_key() -> None:
    numbers = Numbers()
    loader = record_loader(numbers)  # type: ignore[arg-type]
    keys = ["a", "none", "bad", "b", "down", "c", "d", "a"]
    results = await asyncio.gather(*map(loader.load, keys), return_exceptions=True)
    assert [len(call) for call in numbers.calls] == [3, 3, 1]
    assert [getattr(result, "code", result) for result in results] == [
        "a",
        None,
        "BAD_USER_INPUT",
        *["SYSTEM_UNAVAILABLE"] * 3,
        "d",
        "a",
    ]
    many = RecordLoader(numbers.read, max_ids_per_call=50, absent=())  # type: ignore[var-annotated]
    assert await many.load_many(["none", "x"]) == [(), "x"]


CURRENCIES = ["EUR", "usd", "JPY", "jpy", "KWD", "CLF", "UYW", "ISK", "XXX"]


@given(st.sampled_from(CURRENCIES), st.integers(-(10**30), 10**30), st.integers(0, 12))
def test_gateway_and_subgraphs_count_a_currency_alike(currency, number, places):
    amount = Decimal(number).scaleb(-places)
    assert dict(of_the_gateway.DIGITS) == minor_unit.DIGITS
    assert max(of_the_gateway.DIGITS.values()) == of_the_gateway.MOST_DIGITS
    for name in ("minor_digits", "digits_in_words"):
        assert getattr(of_the_gateway, name)(currency) == getattr(minor_unit, name)(currency)
    for name in ("is_payable", "to_minor_unit"):
        assert getattr(of_the_gateway, name)(amount, currency) == getattr(minor_unit, name)(amount, currency)
    exact = of_the_gateway.exactly(amount, 2)
    assert (exact, str(exact)) == (amount, str(minor_unit.exactly(amount, 2)))
    assert of_the_gateway.is_payable(of_the_gateway.to_minor_unit(amount, currency), currency)
