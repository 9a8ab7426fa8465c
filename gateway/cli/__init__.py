"""The `concord` command: start, serve, compose, plan and exercise the graph from a terminal."""
