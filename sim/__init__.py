"""The discrete-event model: N devices, shared links, one GPU server."""
