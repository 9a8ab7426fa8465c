"""What only this gateway knows about an answer: who gave which part of it, when, and at what cost."""
