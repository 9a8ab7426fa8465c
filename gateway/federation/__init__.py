"""The compiler: subgraph SDL to supergraph, document to query plan. Pure: no I/O, no clock, no event loop."""
