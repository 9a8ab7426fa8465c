"""Writes that take effect once: idempotency keys, and the stored answers that repeat them."""
