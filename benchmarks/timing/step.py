"""The time and memory of one step of every model, by phase, length, batch and members; lower is better.

All of it is measured in ``setup_cache``, in one process and in interleaved rounds; a benchmark only looks its own
samples up. So a combination costs no import of torch, and models are compared under the same conditions.

``SEQBENCH_PROFILE`` (whose lengths, batches and members), ``SEQBENCH_DEVICE`` (auto, cpu, cuda) and
``SEQBENCH_MODELS`` (a comma-separated list) choose what is measured.
"""

import os
from itertools import product

from seqbench.models import MODELS
from seqbench.profiles import TIMINGS, find_profile

PROFILE = find_profile(os.environ.get("SEQBENCH_PROFILE", "quick"))
TIMING = TIMINGS[PROFILE.name]
NAMES = [name for name in os.environ.get("SEQBENCH_MODELS", "").split(",") if name] or list(MODELS)
PHASES = ["training", "inference"]


class Step:
    """One step, as the benchmark trains."""

    params = (NAMES, PHASES, TIMING.lengths, TIMING.batches, TIMING.members)
    param_names = ("model", "phase", "length", "batch", "members")

    def setup_cache(self):
        """Measure all of it."""
        from seqbench import machine
        from seqbench.throughput import Case, time_steps

        machine.settle()
        device = machine.device(os.environ.get("SEQBENCH_DEVICE", "auto"))
        found = {}
        for length, batch in product(TIMING.lengths, TIMING.batches):
            cases = [Case(name, length, batch, E) for name, E in product(NAMES, TIMING.members)]
            for timed in time_steps(cases, device, PROFILE.parameters, PHASES, TIMING.rounds):
                key = (timed.case.model, timed.phase, length, batch, timed.case.members)
                found[key] = timed.seconds, timed.memory
        return found

    setup_cache.timeout = 3600  # seconds

    def setup(self, found, *step):
        if step not in found:
            raise NotImplementedError("it did not fit into memory")  # asv shows n/a

    def track_seconds_per_token(self, found, *step):
        """Every round's seconds per token, of which asv takes the median."""
        seconds, _ = found[step]
        return {"samples": seconds, "number": 1}

    track_seconds_per_token.unit = "seconds/token"

    def track_peak_memory(self, found, *step):
        """What the process or device holds at its peak beyond what it held before the model was built."""
        _, memory = found[step]
        return memory

    track_peak_memory.unit = "bytes"
