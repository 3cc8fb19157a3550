"""Benchmarks: what things cost, and ratios to peers (time here / time there; below 1 is faster)."""
