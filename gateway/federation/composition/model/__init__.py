"""What composition speaks of: sources and results, elements of a schema, subgraphs, type references, values."""
