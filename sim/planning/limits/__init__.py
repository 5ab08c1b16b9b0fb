"""What is asked and what it may cost: figures with their limits, the budget, a refusal."""
