"""The replication ledger: what papers reported, and what comes out here in their own protocol.

``rows`` says what was published and how it is repeated, ``net`` and ``data`` are the nets and the sequences of those
papers, ``online`` is their way to train. The benchmark's own models, tasks and trainer have no part in it.
"""
