"""What every system of record needs and none of them owns: ports, clients, stores and the subgraph's own HTTP server."""
