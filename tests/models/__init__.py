"""The models under test: every entry of MODELS as it comes, and their options."""

from typing import Any

import torch
from torch import Tensor, nn

from seqbench.models import MODELS
from seqbench.random import Keys

CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in MODELS} | {
    "lstm of two layers": ("lstm", {"layers": 2}),
    "rnn, relu": ("rnn", {"activation": "relu"}),
    "rnn, from the identity": ("rnn", {"activation": "relu", "start": "identity"}),
    "rnn, orthogonal": ("rnn", {"start": "orthogonal"}),
    "lstm, chrono": ("lstm", {"start": "chrono", "longest": 50}),
    "lstm_1997, chrono": ("lstm_1997", {"start": "chrono", "longest": 50}),
    "gru, chrono": ("gru", {"start": "chrono", "longest": 50}),
    "gru, reset before": ("gru", {"reset": "before"}),
    "gru of two layers": ("gru", {"layers": 2}),
    "transformer of one head": ("transformer", {"heads": 1}),
    "transformer with sines": ("transformer", {"positions": "sinusoidal"}),
    "transformer without positions": ("transformer", {"positions": "none"}),
    "transformer of one layer": ("transformer", {"layers": 1}),
    "lstm_attention by dot products": ("lstm_attention", {"score": "dot"}),
    "bilstm of two layers": ("bilstm", {"layers": 2}),
    "bilstm of two widths": ("bilstm", {"back": 5}),
    "echo_state of two layers": ("echo_state", {"layers": 2, "radius": 0.8}),
    "window_mlp of two layers": ("window_mlp", {"layers": 2, "window": 3}),
    "frame_average of two layers": ("frame_average", {"layers": 2}),
    "block of gru": ("block", {"mixer": "gru"}),
    "block of rnn": ("block", {"mixer": "rnn"}),
    "lru on a thin ring": ("lru", {"r_min": 0.9, "r_max": 0.999, "max_phase": 0.3}),
}
CELLS = ("rnn", "lstm", "lstm_peephole", "lstm_1997", "lstm_no_output", "gru", "echo_state")
RECURRENT = [case for case, (name, _) in CASES.items() if name in CELLS]
BOTH_WAYS = [case for case, (name, _) in CASES.items() if name == "bilstm"]
BACK_ONLY = [case for case in CASES if case not in BOTH_WAYS]
SEEDS = (3, 5, 7)
FRAME = (2, 5, 7)  # channels, height, width: odd, and no two the same


def identities(name: str, seeds: tuple[int, ...] = SEEDS) -> Keys:
    seed = torch.tensor(seeds, dtype=torch.int64)
    return Keys(name, 1, "weights", seed, torch.zeros_like(seed))


def make(case: str, seeds: tuple[int, ...] = SEEDS, **shape: Any) -> nn.Module:
    """Return the model of a case in float64, by default with D = 3, C = 2 and H = 8."""
    name, options = CASES[case]
    inputs = FRAME if MODELS[name].reads == "video" else 3
    shape = {"inputs": inputs, "outputs": 2, "hidden": 8} | options | shape
    return MODELS[name](identities(name, seeds), **shape).double()


def read(case: str, E: int = len(SEEDS), B: int = 2, T: int = 6) -> Tensor:
    """Return what the model of a case reads, of normal numbers."""
    D = FRAME if MODELS[CASES[case][0]].reads == "video" else (3,)
    return normal(E, B, T, *D)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Return normal numbers in float64."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def list_trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are not frozen."""
    return [p for p in model.parameters() if p.requires_grad]


def gradients(output: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of a sum in which every output has a weight of its own."""
    return torch.autograd.grad((output * normal(*output.shape, seed=1)).sum(), leaves)
