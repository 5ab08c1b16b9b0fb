"""What the benchmarks compare with: other simulators, the codec in plain numpy."""
