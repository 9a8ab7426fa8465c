"""Reconciliation: what copies say that owners don't, kept as drift until they agree or somebody accepts it."""
