"""From valid subgraphs to a supergraph's elements: one module for each kind of element."""
