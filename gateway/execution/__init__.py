"""The runtime: runs a query plan against subgraphs through one port and completes the answer."""
