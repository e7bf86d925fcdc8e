"""Turns the records of a results folder into statistics, tables, figures, verdicts on claims, and pages of the book.

What may enter: records, the ledger's rows, and the catalogues of tasks and models by name. Nothing here trains or
measures, and nothing imports torch.
"""
