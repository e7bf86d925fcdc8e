"""The time and memory of one step of every model, by phase, scan and sizes; lower is better.

By hand, in the folder of ``asv.conf.json``::

    asv machine --yes                           # once: asv keeps a description of the machine in the home directory
    SEQBENCH_PROFILE=smoke SEQBENCH_MODELS=rnn,lstm asv run

``SEQBENCH_PROFILE`` chooses the profile whose lengths, scans and so on are measured, ``SEQBENCH_DEVICE`` the device
(auto, cpu or cuda), and ``SEQBENCH_MODELS`` the models, separated by commas. asv keeps results if it is also given
``--set-commit-hash "$(git rev-parse HEAD)"``.
"""

import os
from itertools import product
from math import nan

from seqbench.models import MODELS
from seqbench.protocol.profiles import TIMINGS, find_profile

PROFILE = find_profile(os.environ.get("SEQBENCH_PROFILE", "quick"))
DEVICE = os.environ.get("SEQBENCH_DEVICE", "auto")
NAMES = [name for name in os.environ.get("SEQBENCH_MODELS", "").split(",") if name] or list(MODELS)
TIMING = TIMINGS[PROFILE.name]


class Step:
    """One step, as the benchmark trains.

    ``setup_cache`` measures all combinations, because steps are compared: it times them in turns, round by round, in
    one process. asv itself would finish one combination before it begins the next, each in a process that imports torch
    anew, and what else the machine does meanwhile would favour some models. asv then calls the other methods once for
    each combination of ``params``, and they look up what was measured.
    """

    params = (
        NAMES,
        TIMING.phases,
        TIMING.scans,
        TIMING.precisions,
        TIMING.lengths,
        TIMING.batches,
        TIMING.members,
        TIMING.hidden,
    )
    param_names = ("model", "phase", "scan", "precision", "length", "batch", "members", "hidden")

    def setup_cache(self):
        """Return the measurements of each step, by its values of ``params``."""
        from seqbench import machine
        from seqbench.measure.step import time_steps
        from seqbench.measure.throughput import plan

        machine.make_deterministic()
        device, size = machine.choose_device(DEVICE), PROFILE.parameters
        planned = plan(NAMES, TIMING, size, device)
        measured = {}
        for length, batch in product(TIMING.lengths, TIMING.batches):
            steps = [(c, phase) for c, phase in planned if (c.length, c.batch) == (length, batch)]
            for (case, phase), timed in time_steps(steps, device, size, TIMING.rounds):
                kind = case.model, phase, case.scan, case.precision
                # A plain dict: asv's process for a combination then imports nothing to read it.
                measured[*kind, length, batch, case.members, case.hidden] = timed._asdict()
        return measured

    setup_cache.timeout = 3600  # seconds

    def setup(self, measured, *step):
        """Skip a step that was not measured."""
        if step not in measured:
            raise NotImplementedError("no memory, no such scan, or timed under another name")

    def track_seconds_per_token(self, measured, *step):
        """Return the seconds per token of every round, of which asv takes the median."""
        return {"samples": measured[step]["seconds"], "number": 1}

    track_seconds_per_token.unit = "seconds/token"

    def track_peak_memory(self, measured, *step):
        """Return the bytes held at the peak beyond those held before the model was built."""
        return measured[step]["memory"]

    track_peak_memory.unit = "bytes"

    def track_compile_seconds(self, measured, *step):
        """Return how much longer the very first step took, where something is compiled; else NaN."""
        compiling = measured[step]["compiling"]
        return nan if compiling is None else compiling

    track_compile_seconds.unit = "seconds"
