"""The replication ledger: published figures, and the trials that repeat those of 1997 and 2000 in their own protocol.

``rows`` lists the figures and how each is repeated, ``net`` and ``data`` have the nets and sequences of those papers,
``online`` and ``realtime`` their training, ``trials`` runs what a folder lacks. Trials use none of the benchmark's
models, tasks and trainer; figures of later papers are compared with its records in ``report/replication.py``.

What may enter: experiment ids of the ledger, and results folders.
"""
