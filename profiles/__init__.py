"""What one inference costs and answers, measured."""
