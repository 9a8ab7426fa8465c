"""A CPQ service to try pricing with."""
