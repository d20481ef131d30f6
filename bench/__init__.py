"""Benchmarks: our servers beside a floor server, in one run, compared by ratios."""
