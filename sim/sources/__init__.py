"""What one request costs: the Source protocol, tables, sessions of generated tokens."""
