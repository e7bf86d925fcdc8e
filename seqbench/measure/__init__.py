"""From a protocol to rows in a results folder: what to run, where it runs, and what is written down.

Accuracy, step times and baselines are measured here; nothing here reads a table or a figure.
"""
