"""A believable company, made from a seed: the facts that the three sandboxes fill their systems with."""
