"""The tasks, by name: one file per task, whose docstring is its page in the book.

What may enter: keys, from which a task draws its sequences, and checked data files. Tasks know nothing of models or
training. Importing this room imports no torch: the name and the unit of its lag stand beside each task.
"""

from seqbench.tasks.knobs import Knob, TaskCatalogue

TASKS = TaskCatalogue(
    {
        "latch": ("seqbench.tasks.latch:Latch", Knob("delay", "steps")),
        "noisy-latch": ("seqbench.tasks.noisy_latch:NoisyLatch", Knob("delay", "steps")),
        "adding": ("seqbench.tasks.adding:Adding", Knob("length", "steps")),
        "temporal-order": ("seqbench.tasks.temporal_order:TemporalOrder", Knob("length", "steps")),
        "copy": ("seqbench.tasks.copy:Copy", Knob("delay", "steps")),
        "parity": ("seqbench.tasks.parity:Parity", Knob("length", "symbols")),
        "cycle": ("seqbench.tasks.cycle:Cycle", Knob("length", "symbols")),
        "mod-arithmetic": (
            "seqbench.tasks.mod_arithmetic:ModArithmetic",
            Knob("length", "symbols"),
        ),
        "bucket-sort": ("seqbench.tasks.bucket_sort:BucketSort", Knob("length", "symbols")),
        "reverse": ("seqbench.tasks.reverse:Reverse", Knob("length", "symbols")),
        "duplicate": ("seqbench.tasks.duplicate:Duplicate", Knob("length", "symbols")),
        "selective-copy": ("seqbench.tasks.selective_copy:SelectiveCopy", Knob("length", "steps")),
        "induction": ("seqbench.tasks.induction:Induction", Knob("tested length", "steps")),
        "date-translation": (
            "seqbench.tasks.date_translation:DateTranslation",
            Knob("formats", "formats"),
        ),
        "tagging": ("seqbench.tasks.tagging:Tagging", Knob("mean distance", "steps")),
        "timed-spikes": ("seqbench.tasks.timed_spikes:TimedSpikes", Knob("period", "steps")),
        "recall": ("seqbench.tasks.recall:Recall", Knob("pairs", "pairs")),
        "moving-shapes": (
            "seqbench.tasks.moving_shapes:MovingShapes",
            Knob("blank frames", "frames"),
        ),
        "sequential-digits": (
            "seqbench.tasks.sequential_digits:SequentialDigits",
            Knob("blank steps", "steps"),
        ),
        "time-machine": ("seqbench.tasks.time_machine:TimeMachine", Knob("context", "characters")),
        "adding-1997": ("seqbench.tasks.adding_1997:Adding1997", Knob("shortest length", "steps")),
        "multiplication": (
            "seqbench.tasks.multiplication:Multiplication",
            Knob("shortest length", "steps"),
        ),
        "reber": ("seqbench.tasks.reber:Reber", Knob("depth", "levels")),
        "reber-stream": ("seqbench.tasks.reber_stream:ReberStream", Knob("length", "symbols")),
        "spike-delay": ("seqbench.tasks.spike_delay:SpikeDelay", Knob("shortest delay", "steps")),
        "counting": ("seqbench.tasks.counting:Counting", Knob("repetitions", "repetitions")),
        "pixel-mnist": ("seqbench.tasks.pixel_mnist:PixelMNIST", Knob("blank steps", "steps")),
        "spoken-digits": (
            "seqbench.tasks.spoken_digits:SpokenDigits",
            Knob("silent steps", "steps"),
        ),
        "shakespeare": ("seqbench.tasks.shakespeare:Shakespeare", Knob("context", "characters")),
        "sentiment": ("seqbench.tasks.sentiment:Sentiment", Knob("length", "characters")),
        "topics": ("seqbench.tasks.topics:Topics", Knob("length", "characters")),
        "series": ("seqbench.tasks.series:Series", Knob("window", "hours")),
        "anomaly": ("seqbench.tasks.anomaly:Anomaly", Knob("window", "hours")),
    },
    group="seqbench.tasks",
)
