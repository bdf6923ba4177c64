"""Benchmarks: ratios within one run, medians, both sides measured. ``make bench``; figures in docs/benchmarks.md."""
