"""Whole experiments: `+experiment=NAME` on the command line."""
