"""Lifecycle events: their contracts, the durable log they are kept in, and the streams consumers read it through."""
