"""The tables of an edition, by id: the name of each, and the function that makes it from results.

A table is a file here with one function that returns its ``Content``, and a line in the dict below, by which the
report, the downloads of the book and the command line find it. ``Results.table`` makes a table once and keeps it.
"""

TABLES = {  # and what a row is
    "T1": ("accuracy", "seqbench.report.tables.accuracy:accuracy"),  # a task at a lag with a model
    "T2": ("throughput", "seqbench.report.tables.throughput:throughput"),  # a model's step, timed
    # a condition at a learning rate
    "T3": ("sensitivity", "seqbench.report.tables.sensitivity:sensitivity"),
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
    ),  # an instrument's statistic
    "T12": ("cost", "seqbench.report.tables.cost:cost"),  # a condition: what it takes to solve it
    "T13": ("window", "seqbench.report.tables.window:window"),  # a condition: the rates that work
    "T14": ("claims", "seqbench.report.tables.claims:claims"),  # a claim, with its verdict
    "T15": ("horizons", "seqbench.report.tables.horizons:horizons"),  # a model on a ladder
    "T16": ("rungs", "seqbench.report.tables.rungs:rungs"),  # a rung of a ladder with a model
    "T17": (
        "retention",
        "seqbench.report.tables.retention:retention",
    ),  # a rung, tested at a multiple of its lag
    "T18": (
        "horizon-pairs",
        "seqbench.report.tables.horizon_pairs:horizon_pairs",
    ),  # two models, over all ladders or on one
}
