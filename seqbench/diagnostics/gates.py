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
from seqbench.diagnostics.series import Series, listed
from seqbench.diagnostics.walk import first_cell, walk
from seqbench.models.base import Cell, affine
from seqbench.scan.specs import GRUSpec, LSTMSpec
from seqbench.tasks.base import Task
from seqbench.training.loop import Folded, encoded

GATES = ("input", "forget", "output", "reset", "update")


def of_lstm(cell: Any, a: Gates, h: Hidden, c: Hidden) -> dict[str, Hidden]:
    """Return i, f, o and the candidate g; without a forget gate there is no f."""
    names = ["input", "forget", "candidate", "output"]
    if not cell.spec.forget:
        names.remove("forget")
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
    gates["output"] = gates["output"].sigmoid()
    return gates


def of_gru(cell: Any, a: Gates, h: Hidden) -> dict[str, Hidden]:
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


FAMILIES: dict[type, Any] = {LSTMSpec: of_lstm, GRUSpec: of_gru}


def gates(cell: Cell, a: Gates, *state: Hidden) -> dict[str, Hidden]:
    """Return the values of all gates at one step, and the candidate that they let in."""
    found: dict[str, Hidden] = FAMILIES[type(cell.spec)](cell, a, *state)
    return found


def suits(task: Task, model: Any) -> bool:
    """Return whether the cell has gates, and the task steps that distract."""
    cell = first_cell(model)
    if cell is None or type(cell.spec) not in FAMILIES or task.name not in RELEVANT:
        return False
    one = task.sample(task.keys("test", 0, 0, 1))
    return bool(RELEVANT[task.name](one.x).distracting.any())


@torch.no_grad()
def look(task: Task, model: Any, data: Folded) -> list[Series]:
    """Return traces of the gates and the areas under their ROCs, for each member."""
    cell = first_cell(model)
    assert cell is not None
    known = RELEVANT[task.name](data.x[0])
    x = encoded(task, data.x, cell.W_h.dtype).expand(len(cell.W_h), *data.x.shape[1:3], -1)
    steps = walk(model, x, 1)[1]
    at = [gates(cell, step.a, *step.before) for step in steps]
    traces = {g: torch.stack([s[g] for s in at], dim=2) for g in GATES if g in at[0]}
    framed = {
        "relevant": listed(known.relevant[0]),
        "distracting": listed(known.distracting[0]),
    }
    return [
        framed
        | {
            f"{gate}/{name}": values
            for gate, trace in traces.items()
            for name, values in told(trace[e], known.relevant, known.distracting).items()
        }
        for e in range(len(cell.W_h))
    ]


def told(
    trace: Float[Tensor, "B T H"],
    relevant: Bool[Tensor, "B T"],
    distracting: Bool[Tensor, "B T"],
) -> Series:
    """Return what the values of one gate tell of the steps."""
    on, off = trace[relevant], trace[distracting]  # (steps, H)
    values = torch.cat([on, off]).cpu().numpy()
    truth = np.repeat([True, False], [len(on), len(off)])
    auc = torch.tensor([roc_auc_score(truth, unit) for unit in values.T])
    by_area = (auc - 0.5).abs().argsort()
    best, median = by_area[-1], by_area[len(by_area) // 2]
    return {
        "auc": listed(auc),
        "relevant": listed(on.mean(dim=0)),
        "distracting": listed(off.mean(dim=0)),
        "best": listed(trace[0, :, best]),
        "median": listed(trace[0, :, median]),
    }
