"""A task, a model and a training: three LSTMs, side by side, learn to say with which of two symbols a sequence began.

python examples/one_run.py
"""

import torch

from seqbench.models.lstm import LSTM
from seqbench.models.sizing import match_sizes
from seqbench.random import Keys
from seqbench.records.schema import Budget, Member
from seqbench.tasks.latch import Latch
from seqbench.training.loop import train

task = Latch(lag=20)  # 20 distracting symbols after the one that counts
members = [Member(seed=seed, learning_rate=1e-2) for seed in range(3)]
shape = {"inputs": task.inputs, "outputs": task.outputs}
sizes = match_sizes(LSTM, 1_000, **shape)  # the hidden units that make about 1,000 parameters
seeds = torch.tensor([member.seed for member in members])
keys = Keys(LSTM.name, LSTM.version, "weights", seeds, torch.zeros_like(seeds))
model = LSTM(keys, **shape, **sizes)
budget = Budget(
    steps=1_000, batch=32, clip=1.0, validate_every=50, validation_size=256, test_size=1_024
)
for run in train(task, model, members, budget, torch.device("cpu")):
    print(
        f"seed {run.member.seed}: {run.verdict} after {run.steps} steps, test accuracy {run.score:.3f}"
    )
