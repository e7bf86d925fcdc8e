r"""Truncated backpropagation through time: the state is handed on from window to window, its gradient is not.

.. math::
    s_t = \mathrm{step}(a_t, s_{t-1}), \qquad
    \frac{\partial s_t}{\partial s_{t-1}} \mathrel{:=} 0 \quad\text{where } t \text{ is the first step of a window}

The forward pass is the same, whatever the window. The windows are counted from the end, so that the last one is whole
and an answer that is due at the last step reaches back over as many steps as the window has; only the first is shorter
where the length is no multiple of it. ::

    T = 7, a window of 3      | 1 | 2 3 4 | 5 6 7 |

Source: Williams and Peng (1990), whose network runs on for ever; there each step has a window of its own, or every
h' steps have one that they share, as here.
"""

from itertools import pairwise


def windows(T: int, window: int) -> list[tuple[int, int]]:
    """Return where each window of T steps begins and ends; 0 stands for one window of all steps."""
    edges = range(T, 0, -window) if window else (T,)
    return list(pairwise([0, *reversed(edges)]))
