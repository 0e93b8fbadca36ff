"""Benchmarks: speed is measured, not assumed. Run with ``make bench``."""
