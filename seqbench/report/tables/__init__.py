"""The tables of an edition, by id: the name of each, and the function that makes it of results.

A table is a file here with one function, which returns its ``Content``, and a line in this dict: the report, the book's
downloads and the command line know it from then on. ``Results.table`` makes one and keeps it.
"""

TABLES = {  # and what a row is
    "T1": ("accuracy", "seqbench.report.tables.accuracy:accuracy"),  # a task at a lag with a model
    "T2": ("throughput", "seqbench.report.tables.throughput:throughput"),  # a model's step, timed
    "T3": ("sensitivity", "seqbench.report.tables.sensitivity:sensitivity"),  # a cell at a rate
    "T4": ("runs", "seqbench.report.tables.runs:runs"),  # a run
    "T5": ("machines", "seqbench.report.tables.machines:machines"),  # a machine
    "T6": ("goals", "seqbench.report.tables.goals:goals"),  # a goal for speed
    "T7": ("baselines", "seqbench.report.tables.baselines:baselines"),  # a method without a network
    "T8": ("aggregates", "seqbench.report.tables.aggregates:aggregates"),  # a model over all tasks
    "T9": ("pairs", "seqbench.report.tables.pairs:pairs"),  # two models, over all tasks or in one
    "T10": ("ledger", "seqbench.report.tables.ledger:ledger"),  # a published figure
    "T11": (
        "inside",
        "seqbench.report.tables.diagnostics:diagnostics",
    ),  # what an instrument saw of a model
    "T12": ("cost", "seqbench.report.tables.cost:cost"),  # a cell, and what it takes to solve it
    "T13": ("window", "seqbench.report.tables.window:window"),  # a cell, and the rates that do
    "T14": ("claims", "seqbench.report.tables.claims:claims"),  # a claim, with its verdict
}
