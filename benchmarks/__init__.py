"""Measurements: how fast a search is, beside what people would otherwise use.

``python -m benchmarks`` runs all of them, ``python -m benchmarks w1`` a single one.
"""
