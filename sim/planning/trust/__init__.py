"""How far to believe an answer, and why it is what it is."""
