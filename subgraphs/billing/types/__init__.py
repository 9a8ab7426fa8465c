"""Billing's part of the graph, as strawberry federation types."""
