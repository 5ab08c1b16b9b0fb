"""The steps of a chain between a tensor and its symbols, and what bounds their error."""
