"""What the repository ships and the folder that keeps what was measured here."""
