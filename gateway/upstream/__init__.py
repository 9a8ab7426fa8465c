"""Subgraph clients: how a fetch reaches a subgraph over HTTP or in process, and the policies around it."""
