"""Stripe's objects in full shape, one function per kind; checked against Stripe's official samples."""
