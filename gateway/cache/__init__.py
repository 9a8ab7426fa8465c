"""Work done once: plans by document, and entities for as long as the ownership table says. See README.md."""
