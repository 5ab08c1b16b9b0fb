"""Axes to points, points to rows, rows to a folder that survives interruption."""
