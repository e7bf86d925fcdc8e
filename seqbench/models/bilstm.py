r"""Two LSTMs read the sequence, one from each end.

.. math::
    \overrightarrow{h}_t &= \mathrm{LSTM}(x_t, \overrightarrow{h}_{t-1}), \qquad
    \overleftarrow{h}_t = \mathrm{LSTM}(x_t, \overleftarrow{h}_{t+1}) \\
    y_t &= [\overrightarrow{h}_t;\, \overleftarrow{h}_t]\, W + b
        &&\text{where every step has an answer} \\
    y_T &= [\overrightarrow{h}_T;\, \overleftarrow{h}_1]\, W + b
        &&\text{where the last step alone has one}

At the last step the LSTM from the end has seen that step only. An answer on the whole sequence is therefore read from
where each of the two has seen everything. In a stack both read the pair of the layer below, step by step.

An answer that must not use what comes later would be given away: the model refuses a task of that kind.

Source: Graves and Schmidhuber (2005), after Schuster and Paliwal (1997). The LSTM is that of ``lstm``.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.models.base import Linear, Model
from seqbench.models.dropout import Dropout
from seqbench.models.lstm import LSTMCell
from seqbench.random import Keys
from seqbench.scan import choose_scan, scan


class BiLSTM(Model):
    """Bidirectional LSTM.

    Parameters
    ----------
    keys
        The identities of the E members; all weights are drawn from them.
    inputs, outputs, hidden, layers
        D, C, the hidden units of the LSTM from the start, and the number of layers.
    causal
        Must be False.
    back
        The hidden units of the LSTM from the end: as ``hidden`` if not given.
    dropout
        The share of h that is dropped in training on its way to the layer above and to the readout (``dropout.py``).
    options
        What the cell alone understands.
    """

    name = "bilstm"
    both_ways = True
    recurrent = True

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int,
        outputs: int,
        hidden: int,
        layers: int = 1,
        causal: bool = False,
        back: int | None = None,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        if causal:
            raise BadInput(
                f"{self.name} looks both ways, and an answer must not use what comes after it here; "
                "choose a model that looks back only"
            )
        back = back or hidden
        widths = [inputs] + [hidden + back] * layers
        self.ahead: Any = nn.ModuleList(
            LSTMCell(keys, f"layer {k}", widths[k], hidden, **options) for k in range(layers)
        )
        self.back: Any = nn.ModuleList(
            LSTMCell(keys, f"layer {k} from the end", widths[k], back, **options)
            for k in range(layers)
        )
        self.drops: Any = nn.ModuleList(Dropout(keys, f"layer {k}", dropout) for k in range(layers))
        self.readout = Linear(keys, "readout", hidden + back, outputs)

    @classmethod
    def option_sources(cls) -> list[Callable[..., Any]]:
        """Return the model's class and its cell's."""
        return [cls, LSTMCell]

    @property
    def scan_name(self) -> str:
        """Return the scan that runs this network."""
        return choose_scan(self.ahead[0], self.requested_scan, self.readout.W.device)

    @classmethod
    def size_options(cls, layers: int = 1, **options: Any) -> dict[str, int]:
        """Return what sets the size; the LSTM from the end takes up what the pair leaves."""
        return {"hidden": 1, "back": 1}

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps; a single one is read from both ends."""
        for ahead, back, drop in zip(self.ahead, self.back, self.drops, strict=True):
            h = scan(ahead, x, self.requested_scan, self.recompute)
            h_back = scan(back, x.flip(2), self.requested_scan, self.recompute).flip(2)
            x = drop(torch.cat([h, h_back], dim=-1))
        if answers > 1:
            return self.readout(x[:, :, -answers:])
        H = h.shape[-1]
        ends = torch.cat([x[:, :, -1:, :H], x[:, :, :1, H:]], dim=-1)
        return self.readout(ends)
