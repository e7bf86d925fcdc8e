"""Measuring: from a run specification to rows in a results folder. Accuracy, step times and baselines.

What may enter: a specification, a profile and the records already in a folder. Jobs run in this process, in worker
processes or on a cluster. Nothing here reads a table or a figure.
"""
