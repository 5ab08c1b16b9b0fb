"""Hydra configuration: one YAML per command, groups for what varies."""
