"""A step that a GPU does by itself: captured once as a CUDA graph, and replayed from then on.

A step of a small network is hundreds of kernels, so short that launching them is what takes the time; a graph launches
them all at once. It knows the kernels and the places in memory that they read and write, nothing else:

- what changes from call to call is copied to a fixed place before each replay;
- what the function changes it changes in place;
- what it does on the host it does at the capture, and not again.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, cuda

DEVICES = ("cuda",)  # that can capture
WARM_UP = 3  # calls before the capture, as good as any: in them the libraries get what they need
STREAMS: dict[torch.device, cuda.Stream] = {}  # one a device: libraries keep memory for each


class CudaGraph:
    """A function that is captured after its first calls; on a CPU, or where it can't be, it is called as it is.

    Parameters
    ----------
    function
        Takes tensors, of the same shapes in every call, and whole numbers; on a GPU a number comes to it as a tensor
        ``()`` of float64. What it gives is what it changes.
    device
        Where its tensors lie.
    """

    def __init__(self, function: Callable[..., None], device: torch.device) -> None:
        self.function, self.device = function, device
        self.able = device.type in DEVICES
        if self.able:
            self.stream = STREAMS.setdefault(device, cuda.Stream(device))
        self.reset()

    def reset(self) -> None:
        """Let the graph and its memory go: the function has other tensors now, or other shapes."""
        self.graph: cuda.CUDAGraph | None = None
        self.places: list[Tensor] = []
        self.calls = 0
        if self.able:
            cuda.empty_cache()

    def __call__(self, *inputs: Tensor | int) -> None:
        """Do what the function does."""
        if not self.able:
            self.function(*inputs)
            return
        self.copy_inputs(inputs)
        if self.calls == WARM_UP:
            self.capture()
        self.calls += 1
        if self.graph:
            self.graph.replay()
        else:
            self.launch()

    def copy_inputs(self, inputs: tuple[Tensor | int, ...]) -> None:
        """Bring the inputs to where the kernels look for them."""
        if not self.places:
            self.places = [
                value.clone(memory_format=torch.contiguous_format)
                if isinstance(value, Tensor)
                else torch.empty((), dtype=torch.float64, device=self.device)
                for value in inputs
            ]
        for place, value in zip(self.places, inputs, strict=True):
            if isinstance(value, Tensor):
                place.copy_(value)
            else:
                place.fill_(value)

    def launch(self) -> None:
        """Call the function, on a stream beside the usual one: torch asks for that before a capture."""
        self.stream.wait_stream(cuda.current_stream())
        with cuda.stream(self.stream):
            self.function(*self.places)
        cuda.current_stream().wait_stream(self.stream)

    def capture(self) -> None:
        """Note the kernels of a call; none of them runs before it is replayed."""
        graph = cuda.CUDAGraph()
        try:
            # Where a capture fails, torch stays on its stream; the outer context leaves it.
            with cuda.stream(self.stream), cuda.graph(graph, stream=self.stream):
                self.function(*self.places)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.able = False
            reason = str(error.__context__ or error).partition("\n")[0]
            warnings.warn(
                f"no CUDA graph can be made of a step, it runs without: {reason}", stacklevel=3
            )
        else:
            self.graph = graph
