"""The replication ledger: what papers reported, and what comes out here.

``rows`` says what was published and how it is repeated, ``net`` and ``data`` are the nets and the sequences of those
papers, ``online`` and ``realtime`` are their ways to train, ``verdicts`` says what a row comes to. Trials have no part
of the benchmark's models, tasks and trainer; figures of later papers are compared with its records.
"""
