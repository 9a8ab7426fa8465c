"""Adaptors that read and write one vendor's billing platform as neutral records."""
