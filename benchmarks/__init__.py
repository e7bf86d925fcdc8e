"""Benchmarks: ``asv`` times the steps of every model, ``goals`` measures the goals for speed against what one would
take instead, ``decisions`` holds the scripts behind decisions that were made.
"""
