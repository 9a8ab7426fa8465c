"""Concord's gateway: a compiler for federated graphs with a small runtime."""
