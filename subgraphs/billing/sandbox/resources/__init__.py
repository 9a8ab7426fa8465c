"""Stripe's endpoints, one module per resource: each function takes the account, the parameters and the ids of the path."""
