"""Laws of matching."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.identity.match import Found, Hold, HoldReason, Identifiers, Link, Profile, Rule, decide
from subgraphs.identity.normalise import (
    name_similarity,
    normalise_domain,
    normalise_name,
    normalise_reference,
    normalise_tax_id,
)

references = st.sampled_from(["CUST-1", "CUST-2", "CUST-3"])
tax_ids = st.sampled_from(["DE111111", "DE222222", "DE333333"])
domains = st.sampled_from(["acme.example", "bolt.example"])
names = st.sampled_from(["acme", "acme systems", "acme system", "bolt", "zeta"])
systems = st.sampled_from(["crm", "billing", "erp"])

records = st.builds(
    Identifiers,
    system=systems,
    reference=st.none() | references,
    tax_id=st.none() | tax_ids,
    domain=st.none() | domains,
    name=st.none() | names,
)


@st.composite
def profiles(draw):
    return [
        Profile(
            customer_id=f"c{number}",
            systems=draw(st.frozensets(systems, min_size=1)),
            references=draw(st.frozensets(references, max_size=1)),
            tax_ids=draw(st.frozensets(tax_ids, max_size=1)),
            domains=draw(st.frozensets(domains, max_size=1)),
            names=draw(st.frozensets(names, max_size=2)),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


@given(records, profiles(), st.randoms())
def test_the_order_of_candidates_does_not_matter(record, candidates, random):
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert decide(record, shuffled) == decide(record, candidates)


@given(records, profiles())
def test_a_customer_known_by_another_reference_is_never_linked(record, candidates):
    match decide(record, candidates):
        case Link(customer_id, rule):
            (chosen,) = [p for p in candidates if p.customer_id == customer_id]
            assert record.reference is None or not chosen.references or record.reference in chosen.references
            if rule in {Rule.DOMAIN, Rule.NAME}:
                assert record.system not in chosen.systems
                assert record.tax_id is None or not chosen.tax_ids or record.tax_id in chosen.tax_ids


@given(records, profiles())
def test_the_same_reference_links_or_asks(record, candidates):
    same = [p.customer_id for p in candidates if record.reference in p.references]
    match decide(record, candidates), same:
        case _, []:
            pass
        case Link(customer_id, Rule.REFERENCE), [only]:
            assert customer_id == only
        case Hold(HoldReason.AMBIGUOUS, suggestions), [_, _, *_]:
            assert {s.customer_id for s in suggestions} <= set(same)
        case decision, _:
            pytest.fail(str(decision))


@given(records, profiles())
def test_an_unrelated_candidate_changes_nothing(record, candidates):
    stranger = Profile(customer_id="stranger", systems=frozenset({"erp"}), names=frozenset({"qqqq"}))
    assert decide(record, [*candidates, stranger]) == decide(record, candidates)


@given(st.text(), st.text())
def test_similarity_is_symmetric_and_sure_only_of_equals(one, other):
    assert name_similarity(one, other) == name_similarity(other, one)
    assert 0 <= name_similarity(one, other) <= 1
    assert name_similarity(one, one) == 1


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    for normalise in (normalise_reference, normalise_tax_id, normalise_domain, normalise_name):
        once = normalise(text)
        assert normalise(once) == once


@pytest.mark.parametrize(
    ("one", "other", "decision"),
    [
        ("Müller & Söhne GmbH", "Muller and Sohne", Link("c0", Rule.NAME, 1.0)),
        ("Northwind Logistics Inc.", "NORTHWIND LOGISTICS, LLC", Link("c0", Rule.NAME, 1.0)),
        ("Northwind Logistics", "Southwind Trading", Found()),
    ],
)
def test_names_are_compared_as_people_would(one, other, decision):
    record = Identifiers(system="erp", name=normalise_name(one))
    known = Profile(customer_id="c0", systems=frozenset({"crm"}), names=frozenset({normalise_name(other) or ""}))
    assert decide(record, [known]) == decision


def test_a_similar_name_is_put_before_a_person():
    record = Identifiers(system="erp", name="northwind logistics europe")
    known = Profile(customer_id="c0", systems=frozenset({"crm"}), names=frozenset({"northwind logistics"}))
    match decide(record, [known]):
        case Hold(HoldReason.NEEDS_REVIEW, (suggestion,)):
            assert (suggestion.customer_id, suggestion.rule, round(suggestion.score, 2)) == ("c0", Rule.NAME, 0.85)
        case decision:
            pytest.fail(str(decision))


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("https://www.Acme.example/about?x=1", "acme.example"),
        ("billing@acme.example", "acme.example"),
        ("someone@gmail.com", None),
        ("localhost", None),
        ("http://acme.example:8080", "acme.example"),
        ("", None),
    ],
)
def test_domains_are_found_in_addresses(text, domain):
    assert normalise_domain(text) == domain
