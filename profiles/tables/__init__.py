"""What was measured, as plain arrays: traces, cost surfaces, layers, machine sheets; no torch."""
