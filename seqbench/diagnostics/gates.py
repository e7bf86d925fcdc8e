r"""Whether gates open and shut when the data asks for it.

A cell shows its state alone; its gates are computed again from what a step was given, in the letters of its own file:

.. math::
    \text{LSTM:}\quad i, f, o = \sigma(a + h_{t-1} W_h \;[+\, p \odot c]), \qquad
    \text{GRU:}\quad r, z = \sigma(a + h_{t-1} W_h), \qquad a = x_t W_x + b.

How well the value of a gate tells relevant steps from distracting ones is the area under its ROC, for each unit: the
probability that it is higher at a relevant step than at a distracting one. 1 opens there, 0 shuts there, 1/2 tells
nothing. A gate sees the input at once, so random weights tell symbols apart already: compare the end with the start.

``<gate>/auc``, ``<gate>/relevant``, ``<gate>/distracting`` hold a number a unit: the area, and the mean value at either
kind of step. ``<gate>/best`` and ``<gate>/median`` are the values at every step of the first sequence, of the units
whose areas lie farthest from 1/2 and in the middle; ``relevant`` and ``distracting`` are 1 where its steps are.

Source: Hanley and McNeil (1982) for the meaning of the area.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score
from torch import Tensor

from seqbench.axes import Gates, Hidden
from seqbench.diagnostics.relevant import RELEVANT
from seqbench.diagnostics.series import Series, round_numbers
from seqbench.models.base import Cell, Model, affine
from seqbench.scan.specs import GRUSpec, LSTMSpec
from seqbench.tasks.base import Task
from seqbench.training.feed import Folded, encode

GATES = ("input", "forget", "output", "reset", "update")


def compute_lstm_gates(cell: Any, a: Gates, h: Hidden, c: Hidden) -> dict[str, Hidden]:
    """Return i, f, o and the candidate g; no f without a forget gate, and no o without an output gate."""
    names = ["input", "forget", "candidate", "output"]
    if not cell.spec.forget:
        names.remove("forget")
    if cell.gates < len(names):  # the spec of ``lstm_no_output`` has a gate that stands open
        names.remove("output")
    gates = dict(zip(names, affine(h, cell.W_h, a).chunk(cell.gates, dim=-1), strict=True))
    g = gates["candidate"] = gates["candidate"].tanh()
    p: dict[str, Any] = {}
    if cell.spec.peepholes:
        p = dict(zip(("input", "forget", "output"), cell.p[:, :, None].unbind(dim=1), strict=True))
    for name in ("input", "forget"):
        if name in gates:
            gates[name] = (gates[name] + p[name] * c if p else gates[name]).sigmoid()
    if p:  # the output gate looks at the new cell
        c = gates["forget"] * c + gates["input"] * g
        gates["output"] = gates["output"] + p["output"] * c
    if "output" in gates:
        gates["output"] = gates["output"].sigmoid()
    return gates


def compute_gru_gates(cell: Any, a: Gates, h: Hidden) -> dict[str, Hidden]:
    """Return r, z and the candidate n."""
    H = h.shape[-1]
    W_hrz, W_hn = cell.W_h.split((2 * H, H), dim=-1)
    a_rz, a_n = a.split((2 * H, H), dim=-1)
    r, z = affine(h, W_hrz, a_rz).sigmoid().chunk(2, dim=-1)
    if cell.spec.reset == "after":
        n = torch.tanh(a_n + r * affine(h, W_hn, cell.b_hn))
    else:
        n = torch.tanh(affine(r * h, W_hn, a_n))
    return {"reset": r, "update": z, "candidate": n}


FAMILIES: dict[type, Any] = {LSTMSpec: compute_lstm_gates, GRUSpec: compute_gru_gates}


def compute_gates(cell: Cell, a: Gates, *state: Hidden) -> dict[str, Hidden]:
    """Return the values of all gates at one step, and the candidate that they let in."""
    values: dict[str, Hidden] = FAMILIES[type(cell.spec)](cell, a, *state)
    return values


def applies(task: Task, model: Model) -> bool:
    """Return whether the cell has gates, and the task steps that distract."""
    if not model.cells or type(model.cells[0].spec) not in FAMILIES or task.name not in RELEVANT:
        return False
    one = task.sample(task.keys("test", 0, 0, 1))
    return bool(RELEVANT[task.name](one.x).distracting.any())


@torch.no_grad()
def look(task: Task, model: Model, data: Folded) -> list[Series]:
    """Return traces of the gates and the areas under their ROCs, for each member."""
    cell = model.cells[0]
    known = RELEVANT[task.name](data.x[0])
    x = encode(task, data.x, cell.W_h.dtype).expand(len(cell.W_h), *data.x.shape[1:3], -1)
    _, steps = model.record_steps(x, 1)
    at = [compute_gates(cell, step.a, *step.before) for step in steps]
    traces = {g: torch.stack([s[g] for s in at], dim=2) for g in GATES if g in at[0]}
    steps_of_interest = {
        "relevant": round_numbers(known.relevant[0]),
        "distracting": round_numbers(known.distracting[0]),
    }
    return [
        steps_of_interest
        | {
            f"{gate}/{name}": values
            for gate, trace in traces.items()
            for name, values in compare_steps(trace[e], known.relevant, known.distracting).items()
        }
        for e in range(len(cell.W_h))
    ]


def compare_steps(
    trace: Float[Tensor, "B T H"],
    relevant: Bool[Tensor, "B T"],
    distracting: Bool[Tensor, "B T"],
) -> Series:
    """Return how well the values of one gate tell relevant steps from distracting ones, unit by unit."""
    on, off = trace[relevant], trace[distracting]  # (steps, H)
    values = torch.cat([on, off]).cpu().numpy()
    truth = np.repeat([True, False], [len(on), len(off)])
    auc = torch.tensor([roc_auc_score(truth, unit) for unit in values.T])
    by_area = (auc - 0.5).abs().argsort()
    best, median = by_area[-1], by_area[len(by_area) // 2]
    return {
        "auc": round_numbers(auc),
        "relevant": round_numbers(on.mean(dim=0)),
        "distracting": round_numbers(off.mean(dim=0)),
        "best": round_numbers(trace[0, :, best]),
        "median": round_numbers(trace[0, :, median]),
    }
