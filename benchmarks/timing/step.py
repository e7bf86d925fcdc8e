"""The time and memory of one step of every model, by phase, scan and sizes; lower is better.

All of it is measured in ``setup_cache``, in one process and in interleaved rounds; a benchmark only looks its own
samples up. So a combination costs no import of torch, and models are compared under the same conditions.

``SEQBENCH_PROFILE`` (whose lengths, scans and so on), ``SEQBENCH_DEVICE`` (auto, cpu, cuda) and
``SEQBENCH_MODELS`` (a comma-separated list) choose what is measured.
"""

import os
from itertools import product
from math import nan

from seqbench.models import MODELS
from seqbench.protocol.profiles import TIMINGS, find_profile

PROFILE = find_profile(os.environ.get("SEQBENCH_PROFILE", "quick"))
TIMING = TIMINGS[PROFILE.name]
NAMES = [name for name in os.environ.get("SEQBENCH_MODELS", "").split(",") if name] or list(MODELS)


class Step:
    """One step, as the benchmark trains."""

    params = (
        NAMES,
        TIMING.phases,
        TIMING.scans,
        TIMING.lengths,
        TIMING.batches,
        TIMING.members,
        TIMING.hidden,
    )
    param_names = ("model", "phase", "scan", "length", "batch", "members", "hidden")

    def setup_cache(self):
        """Measure all of it."""
        from seqbench import machine
        from seqbench.measure.throughput import plan, time_steps

        machine.make_deterministic()
        device = machine.device(os.environ.get("SEQBENCH_DEVICE", "auto"))
        size = PROFILE.parameters
        planned = plan(NAMES, TIMING, size, device)
        found = {}
        for length, batch in product(TIMING.lengths, TIMING.batches):
            steps = [step for step in planned if (step[0].length, step[0].batch) == (length, batch)]
            for (case, phase), timed in time_steps(steps, device, size, TIMING.rounds):
                shape = length, batch, case.members, case.hidden
                found[case.model, phase, case.scan, *shape] = tuple(timed)  # no class of ours
        return found

    setup_cache.timeout = 3600  # seconds

    def setup(self, found, *step):
        if step not in found:
            raise NotImplementedError("no memory, no such scan, or timed under another name")

    def track_seconds_per_token(self, found, *step):
        """Every round's seconds per token, of which asv takes the median."""
        seconds, _, _ = found[step]
        return {"samples": seconds, "number": 1}

    track_seconds_per_token.unit = "seconds/token"

    def track_peak_memory(self, found, *step):
        """What the process or device holds at its peak beyond what it held before the model was built."""
        _, memory, _ = found[step]
        return memory

    track_peak_memory.unit = "bytes"

    def track_compile_seconds(self, found, *step):
        """How much longer the very first step took, where something is compiled."""
        _, _, compiling = found[step]
        return nan if compiling is None else compiling

    track_compile_seconds.unit = "seconds"
