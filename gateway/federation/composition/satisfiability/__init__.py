"""Satisfiability: can every operation that the API schema allows be answered by the subgraphs together?"""

from gateway.federation.composition.satisfiability.check import check_satisfiability

__all__ = ["check_satisfiability"]
