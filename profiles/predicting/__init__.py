"""Seconds of machines and networks that were not measured: roofline, analytic, published."""
