"""What measures, on torch: a network's graph and cuts, clocks, layer times, traces, generations."""
