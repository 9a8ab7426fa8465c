"""Work done once: prepared operations and their plans, by hash of the document."""
