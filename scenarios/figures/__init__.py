"""The figures, one command a file; each plays what it draws."""
