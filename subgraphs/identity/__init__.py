"""The identity subgraph: canonical customer ids, and which records of which systems are the same customer."""
