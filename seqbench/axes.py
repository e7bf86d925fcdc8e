"""The axis letters; each has one meaning in the whole package.

======  ==============================================================================
letter  meaning
======  ==============================================================================
E       members trained side by side, each with its own weights, data and optimiser
B       sequences in a batch
N       sequences of all members (a task does not know members: N = E * B)
T       time steps
A       answers: the last A of the T steps are those at which an answer may be due
D       features of a step (for symbols: the size of the alphabet, one-hot)
H       hidden units
G       gates of a cell
C       classes, or values of the output
P       numbers in all parameters of one member
======  ==============================================================================
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Sequences = Float[Tensor, "E B T *D"]  # (E, B, T, D), or (E, B, T, channels, height, width)
Projected = Float[Tensor, "E B T GH"]  # x_t W_x + b for every t at once
Gates = Float[Tensor, "E B GH"]  # the same at one step
Hidden = Float[Tensor, "E B H"]
Outputs = Float[Tensor, "E B A C"]
PerMember = Float[Tensor, "E"]  # noqa: F821
Seeds = Int[Tensor, "N"]  # noqa: F821
Mask = Bool[Tensor, "N A"]
