"""Composition agrees with Apollo's on 585 cases."""

from conformance import load_cases, run_case


def test_verdict_codes_and_supergraph_of_every_case():
    outcomes = [run_case(case) for case in load_cases()]
    assert len(outcomes) == 585
    assert [o for o in outcomes if not (o.verdict and o.codes) or o.differences] == []
