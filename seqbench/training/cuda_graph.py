"""Training steps as CUDA graphs: captured once, then replayed.

A step of a small network is hundreds of kernels, so short that launching them dominates the time; a graph launches
them all at once. A graph records only the kernels and the memory addresses that they read and write. Therefore:

- inputs that change from call to call are copied to a fixed buffer before each replay;
- the function must write its results in place;
- what it does on the host happens during the capture only.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, cuda

DEVICES = ("cuda",)  # the kinds of devices that can capture
WARM_UP = 3  # ordinary calls before the capture, in which libraries allocate what they need
STREAMS: dict[
    torch.device, cuda.Stream
] = {}  # one per device, because libraries keep memory for each stream


class CudaGraph:
    """A function that is captured after its first calls; on a CPU, or if the capture fails, it is called normally.

    Parameters
    ----------
    function
        Takes tensors, of the same shapes in every call, and whole numbers; on a GPU a number is passed as a tensor
        ``()`` of float64. It returns nothing and changes tensors in place.
    device
        The device of its tensors.
    """

    def __init__(self, function: Callable[..., None], device: torch.device) -> None:
        self.function, self.device = function, device
        self.can_capture = device.type in DEVICES
        if self.can_capture:
            self.stream = STREAMS.setdefault(device, cuda.Stream(device))
        self.reset()

    def reset(self) -> None:
        """Drop the graph and its memory, for when the function uses other tensors or shapes from now on."""
        self.graph: cuda.CUDAGraph | None = None
        self.buffers: list[Tensor] = []
        self.calls = 0
        if self.can_capture:
            cuda.empty_cache()

    def __call__(self, *inputs: Tensor | int) -> None:
        """Call the function, or replay its graph."""
        if not self.can_capture:
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
        """Copy the inputs into the buffers that the kernels read."""
        if not self.buffers:
            self.buffers = [
                value.clone(memory_format=torch.contiguous_format)
                if isinstance(value, Tensor)
                else torch.empty((), dtype=torch.float64, device=self.device)
                for value in inputs
            ]
        for buffer, value in zip(self.buffers, inputs, strict=True):
            if isinstance(value, Tensor):
                buffer.copy_(value)
            else:
                buffer.fill_(value)

    def launch(self) -> None:
        """Call the function on a side stream, as torch requires before a capture."""
        self.stream.wait_stream(cuda.current_stream())
        with cuda.stream(self.stream):
            self.function(*self.buffers)
        cuda.current_stream().wait_stream(self.stream)

    def capture(self) -> None:
        """Capture the kernels of a call; they run only when the graph is replayed."""
        graph = cuda.CUDAGraph()
        try:
            # If a capture fails, torch does not leave its stream; the outer context does.
            with cuda.stream(self.stream), cuda.graph(graph, stream=self.stream):
                self.function(*self.buffers)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.can_capture = False
            reason = str(error.__context__ or error).partition("\n")[0]
            warnings.warn(
                f"no CUDA graph can be made of a step, it runs without: {reason}", stacklevel=3
            )
        else:
            self.graph = graph
