"""The tasks, by name."""

from seqbench.catalogue import Catalogue

TASKS = Catalogue(
    "task",
    {
        "latch": "seqbench.tasks.latch:Latch",
        "adding": "seqbench.tasks.adding:Adding",
        "temporal-order": "seqbench.tasks.temporal_order:TemporalOrder",
        "copy": "seqbench.tasks.copy:Copy",
        "parity": "seqbench.tasks.parity:Parity",
        "timed-spikes": "seqbench.tasks.timed_spikes:TimedSpikes",
        "recall": "seqbench.tasks.recall:Recall",
        "moving-shapes": "seqbench.tasks.moving_shapes:MovingShapes",
        "sequential-digits": "seqbench.tasks.sequential_digits:SequentialDigits",
        "time-machine": "seqbench.tasks.time_machine:TimeMachine",
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
