"""The commands that answer and measure, one a file."""
