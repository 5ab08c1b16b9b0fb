"""The named chains, a file each, and their registry."""
