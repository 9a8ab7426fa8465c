"""The reference systems of record and their subgraphs."""
