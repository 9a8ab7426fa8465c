"""The supergraph's syntax tree is built without its text; it is the tree that the text has."""

from conformance import load_cases
from graphql import Visitor, parse, print_ast, visit
from graphql.utilities.sort_value_node import sort_value_node

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.outline import Outline
from gateway.federation.composition.merge.supergraph import merge_supergraph
from gateway.federation.composition.normalise.normalise import normalise
from gateway.federation.composition.normalise.upgrade import upgrade_all
from gateway.federation.composition.print_supergraph import print_supergraph
from gateway.federation.composition.supergraph_document import supergraph_document


class ByName(Visitor):
    """Orders the fields of input objects, whose order means nothing."""

    def leave_object_value(self, node, *_):
        return sort_value_node(node)


def test_the_document_is_what_parsing_the_printed_supergraph_gives():
    composable = [case for case in load_cases() if not case.codes][::4]
    for case in composable:
        normalised = [normalise(source)[0] for source in sorted(case.subgraphs, key=lambda source: source.name)]
        upgraded, errors = upgrade_all(tuple(subgraph for subgraph in normalised if subgraph is not None))
        assert not errors
        draft = merge_supergraph(Merge(Outline(upgraded)))
        parsed = parse(print_supergraph(draft), no_location=True)
        assert print_ast(visit(supergraph_document(draft), ByName())) == print_ast(visit(parsed, ByName())), case.test
    assert len(composable) > 50
