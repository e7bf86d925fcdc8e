"""The kernels on a GPU: against the loop in float64, in every precision, and the same bits twice."""

from importlib.util import find_spec

import pytest
import torch

from seqbench.scan import scan
from tests.scan import CELLS, cell_of, derivatives, poison

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
    pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed"),
]

# ||out - ref|| / ||ref||, of h and of each gradient. With rounding by hand under the interpreter it was at most .06 in
# bfloat16 and .02 in TF32, for the LSTM without a forget gate, which forgets no error, and for the ReLU, where some
# units switch; .03 and .001 for the others. A fault in one gate is seen in float32.
ERROR = {"bf16": 0.1, "tf32": 0.04, "fp32": 1e-4}
each = pytest.mark.parametrize("case", [case for case in CELLS if "identity" not in case])


@pytest.fixture(params=ERROR)
def precision(request):
    """Multiply so."""
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32" if request.param == "tf32" else "ieee"
    with torch.autocast("cuda", torch.bfloat16, enabled=request.param == "bf16"):
        yield request.param
    torch.backends.cuda.matmul.fp32_precision = before


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    poison(monkeypatch)


def drawn(case, E, B, T, H):
    """Return a cell and its input in float64; the weights as they start, so that nothing grows with T."""
    cell = cell_of(case, H, E=E, noise=0.1 / H**0.5)
    return cell, torch.randn(E, B, T, 3, dtype=torch.float64)


@each
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(
    ("B", "T", "H"), [(16, 100, 16), (33, 70, 30), (5, 70, 64), (20, 40, 128), (17, 20, 200), (16, 20, 256)]
)  # fmt: skip
def test_it_agrees_with_the_loop_in_float64(case, precision, B, T, H, recompute):
    cell, x = drawn(case, 2, B, T, H)
    with torch.autocast("cuda", enabled=False):
        wanted, wanted_grads = derivatives(cell, x.requires_grad_(), "reference")
    cell, x = cell.float().cuda(), x.detach().float().cuda().requires_grad_()
    h, grads = derivatives(cell, x, "fused", recompute)
    for found, ref in zip((h, *grads), (wanted, *wanted_grads), strict=True):
        error = (found.double().cpu() - ref).norm() / ref.norm()
        assert error < ERROR[precision]


@each
@pytest.mark.parametrize("H", [48, 256])
def test_the_same_bits_come_out_twice(case, precision, H):
    cell, x = drawn(case, 3, 40, 50, H)
    cell, x = cell.float().cuda(), x.float().cuda().requires_grad_()
    (h, grads), (h_again, grads_again) = (derivatives(cell, x, "fused") for _ in range(2))
    assert torch.equal(h, h_again)
    for g, g_again in zip(grads, grads_again, strict=True):
        assert torch.equal(g, g_again)


@each
def test_a_member_alone_is_what_it_is_among_others(case):
    cell, x = drawn(case, 3, 20, 50, 32)
    cell, x = cell.float().cuda(), x.float().cuda()
    together = scan(cell, x, "fused")
    with torch.no_grad():
        for p in cell.parameters():
            p.data = p.data[1:2]
        alone = scan(cell, x[1:2], "fused")
    torch.testing.assert_close(alone[0], together[1], rtol=1e-5, atol=1e-6)


@each
def test_it_goes_into_a_cuda_graph(case):
    cell, x = drawn(case, 2, 16, 30, 32)
    cell, x = cell.float().cuda(), x.float().cuda().requires_grad_()
    wanted = scan(cell, x, "fused").detach()
    weight = torch.randn(2, 16, 30, 32, device="cuda")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.autograd.grad((scan(cell, x, "fused") * weight).sum(), [x, *cell.parameters()])
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        h = scan(cell, x, "fused")
        grads = torch.autograd.grad((h * weight).sum(), [x, *cell.parameters()])
    weight.copy_(torch.ones_like(weight))
    graph.replay()
    torch.testing.assert_close(h, wanted)
    ones = torch.autograd.grad(scan(cell, x, "fused").sum(), [x, *cell.parameters()])
    for g, g_wanted in zip(grads, ones, strict=True):
        torch.testing.assert_close(g, g_wanted)
