"""A server that speaks Stripe's API over a believable company, with its state in SQLite."""
