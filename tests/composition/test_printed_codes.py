"""The pages of codes are printed from code, and say all that there is."""

from conformance import load_cases

from gateway.cli.print_errors import PAGE as ERRORS_PAGE
from gateway.cli.print_errors import print_errors
from gateway.federation.composition.codes import error_codes, hint_codes
from gateway.federation.composition.hints import HINTS
from gateway.federation.composition.print_codes import PAGE, print_codes
from gateway.federation.composition.rules import API_RULES, MERGE_RULES, NAME_RULES, SUBGRAPH_RULES, SUPERGRAPH_RULES

RULES = (*SUBGRAPH_RULES, *NAME_RULES, *MERGE_RULES, *SUPERGRAPH_RULES, *API_RULES)


def module_name(code):
    return f"gateway.federation.composition.{code.module.removesuffix('.py').replace('/', '.')}"


def test_the_page_of_composition_codes_is_current():
    """Run `python -m gateway.federation.composition.print_codes` after a change of rules."""
    assert PAGE.read_text() == print_codes()


def test_the_page_of_errors_is_current():
    """Run `python -m gateway.cli.print_errors` after a change of the registry."""
    assert ERRORS_PAGE.read_text() == print_errors()


def test_every_code_has_a_sentence_and_every_known_code_is_printed():
    codes = (*error_codes(), *hint_codes())
    silent = {rule.__module__ for rule in (*RULES, *HINTS)} - {module_name(code) for code in codes}
    assert silent == set()
    assert [code for code in codes if len(code.sentence) < 15] == []
    expected = {code for case in load_cases() for code in case.codes if code not in ("THROWN", None)}
    assert expected - {code.code for code in error_codes()} == set()
