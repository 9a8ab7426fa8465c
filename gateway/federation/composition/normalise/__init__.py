"""From SDL as teams write it to subgraphs of one form: linked, completed, validated, upgraded."""
