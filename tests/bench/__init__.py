"""Benchmarks: `python -m tests.bench [names]` runs all of them, or those named."""
