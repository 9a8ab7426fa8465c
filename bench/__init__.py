"""The benchmark: Concord and its peers over the same four subgraphs, on one core each."""
