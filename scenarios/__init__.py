"""The outside: commands, Hydra, files, processes."""
