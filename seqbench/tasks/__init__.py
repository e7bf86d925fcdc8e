"""The tasks, by name: one file per task, whose docstring is its page in the book.

What may enter: keys, from which a task draws its sequences, and checked data files. Tasks know nothing of models or
training.
"""

from typing import Any

from seqbench.catalogue import Catalogue, load
from seqbench.errors import BadInput

BASE = "seqbench.tasks.base:Task"  # an address, since importing it would import torch


class TaskCatalogue(Catalogue):
    """The tasks by name."""

    def examine(self, name: str, entry: Any) -> None:
        """Raise BadInput where an entry that somebody adds is no task class."""
        if not isinstance(entry, type) or not issubclass(entry, load(BASE)):
            raise BadInput(
                f"task '{name}' is no seqbench.tasks.base.Task: derive from it (CONTRIBUTING.md)"
            )


TASKS = TaskCatalogue(
    "task",
    {
        "latch": "seqbench.tasks.latch:Latch",
        "noisy-latch": "seqbench.tasks.noisy_latch:NoisyLatch",
        "adding": "seqbench.tasks.adding:Adding",
        "temporal-order": "seqbench.tasks.temporal_order:TemporalOrder",
        "copy": "seqbench.tasks.copy:Copy",
        "parity": "seqbench.tasks.parity:Parity",
        "cycle": "seqbench.tasks.cycle:Cycle",
        "mod-arithmetic": "seqbench.tasks.mod_arithmetic:ModArithmetic",
        "bucket-sort": "seqbench.tasks.bucket_sort:BucketSort",
        "reverse": "seqbench.tasks.reverse:Reverse",
        "duplicate": "seqbench.tasks.duplicate:Duplicate",
        "selective-copy": "seqbench.tasks.selective_copy:SelectiveCopy",
        "induction": "seqbench.tasks.induction:Induction",
        "date-translation": "seqbench.tasks.date_translation:DateTranslation",
        "tagging": "seqbench.tasks.tagging:Tagging",
        "timed-spikes": "seqbench.tasks.timed_spikes:TimedSpikes",
        "recall": "seqbench.tasks.recall:Recall",
        "moving-shapes": "seqbench.tasks.moving_shapes:MovingShapes",
        "sequential-digits": "seqbench.tasks.sequential_digits:SequentialDigits",
        "time-machine": "seqbench.tasks.time_machine:TimeMachine",
        "adding-1997": "seqbench.tasks.adding_1997:Adding1997",
        "multiplication": "seqbench.tasks.multiplication:Multiplication",
        "reber": "seqbench.tasks.reber:Reber",
        "reber-stream": "seqbench.tasks.reber_stream:ReberStream",
        "spike-delay": "seqbench.tasks.spike_delay:SpikeDelay",
        "counting": "seqbench.tasks.counting:Counting",
        "pixel-mnist": "seqbench.tasks.pixel_mnist:PixelMNIST",
        "spoken-digits": "seqbench.tasks.spoken_digits:SpokenDigits",
        "shakespeare": "seqbench.tasks.shakespeare:Shakespeare",
        "sentiment": "seqbench.tasks.sentiment:Sentiment",
        "topics": "seqbench.tasks.topics:Topics",
        "series": "seqbench.tasks.series:Series",
        "anomaly": "seqbench.tasks.anomaly:Anomaly",
    },
    group="seqbench.tasks",
)
