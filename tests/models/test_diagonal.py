"""The mixers that are diagonal recurrences: the paper's equations in plain loops, their scans, and their start."""

from cmath import exp as cexp
from math import exp, log, pi, sqrt

import numpy as np
import pytest
import torch

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.mingru import g as ours_g

from . import CASES, SEEDS, gradients, identities, make, normal

NAMES = ("mingru", "minlstm", "lru")
DIAGONAL = [case for case, (name, _) in CASES.items() if name in NAMES]
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
each = pytest.mark.parametrize("case", DIAGONAL)
B, T, H = 2, 6, 5


def mixer_of(case, **shape):
    """Return the first mixer of a model in float64, off its start."""
    mixer = make(case, hidden=H, **shape).blocks[0].mixer
    with torch.no_grad():
        for k, p in enumerate(mixer.parameters()):
            p.add_(normal(*p.shape, seed=k), alpha=0.3)
    return mixer


# Against the equations, one unit and one step at a time


def sigmoid(k):
    return 1 / (1 + exp(-k))


def g(k):
    return k + 0.5 if k >= 0 else sigmoid(k)


def preactivations(weights, x, gates):
    """Return the affine maps of a step by gate, each a list of H numbers."""
    W, b = weights["map.W"], weights["map.b"][0]
    sums = [sum(x[d] * W[d][k] for d in range(H)) + b[k] for k in range(len(gates) * H)]
    return {gate: sums[k * H : (k + 1) * H] for k, gate in enumerate(gates)}


def mingru(weights, xs):
    h, ys = [0.0] * H, []
    for x in xs:
        k = preactivations(weights, x, "zh")
        z, new = [sigmoid(v) for v in k["z"]], [g(v) for v in k["h"]]
        h = [(1 - z[j]) * h[j] + z[j] * new[j] for j in range(H)]
        ys.append(h)
    return ys


def minlstm(weights, xs):
    h, ys = [0.0] * H, []
    for x in xs:
        k = preactivations(weights, x, "fih")
        f, i = [sigmoid(v) for v in k["f"]], [sigmoid(v) for v in k["i"]]
        new = [g(v) for v in k["h"]]
        h = [f[j] / (f[j] + i[j]) * h[j] + i[j] / (f[j] + i[j]) * new[j] for j in range(H)]
        ys.append(h)
    return ys


def lru(weights, xs):
    eigen = [cexp(complex(-exp(weights["nu"][j]), exp(weights["theta"][j]))) for j in range(H)]
    size = [exp(weights["gamma"][j]) for j in range(H)]
    into = [[complex(*weights["B"][d][j]) for j in range(H)] for d in range(H)]
    out = [
        [complex(weights["C"][j][0][d], weights["C"][j][1][d]) for d in range(H)] for j in range(H)
    ]
    D = weights["D"][0][0]
    h, ys = [0j] * H, []
    for x in xs:
        h = [eigen[j] * h[j] + size[j] * sum(x[d] * into[d][j] for d in range(H)) for j in range(H)]
        ys.append([sum(h[j] * out[j][d] for j in range(H)).real + D[d] * x[d] for d in range(H)])
    return ys


EQUATIONS = {"mingru": mingru, "minlstm": minlstm, "lru": lru}


@each
@pytest.mark.parametrize("how", ["reference", "ensemble"])
def test_it_is_the_equations(case, how):
    mixer, x = mixer_of(case), normal(len(SEEDS), B, T, H)
    mixer.use_scan(how, recompute=False)
    y = mixer(x, T)
    for e in range(len(SEEDS)):
        weights = {name: p[e].tolist() for name, p in mixer.named_parameters()}
        for n in range(B):
            wanted = EQUATIONS[CASES[case][0]](weights, x[e, n].tolist())
            np.testing.assert_allclose(y[e, n].detach().numpy(), wanted, rtol=1e-10, atol=1e-12)


@each
def test_the_last_answers_are_those_of_all_steps(case):
    mixer, x = mixer_of(case), normal(len(SEEDS), B, T, H)
    torch.testing.assert_close(mixer(x, 2), mixer(x, T)[:, :, -2:], **CLOSE)


@each
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("answers", [1, 4])
def test_both_scans_give_the_same_outputs_and_gradients(case, layers, answers):
    model, x = make(case, layers=layers), normal(len(SEEDS), B, T, 3).requires_grad_()
    leaves, found = [x, *model.parameters()], {}
    for how in ("reference", "auto"):
        model.use_scan(how)
        y = model(x, answers)
        found[how] = [y, *gradients(y, *leaves)]
    assert model.scan_name == "ensemble"
    for ours, wanted in zip(found["auto"], found["reference"], strict=True):
        torch.testing.assert_close(ours, wanted, **CLOSE)


@each
def test_a_state_that_is_carried_on_is_that_of_the_whole(case):
    """Stepping from the middle of a sequence takes the state as it is; nothing is done to it once more."""
    mixer, x = mixer_of(case), normal(len(SEEDS), B, T, H)
    wanted, state = mixer(x, T), mixer.start(B, T)
    for t in range(T):
        y, state = mixer.advance(x[:, :, t : t + 1], t, state)
        torch.testing.assert_close(y[:, :, 0], wanted[:, :, t], **CLOSE)


@each
def test_gradients_of_a_model_are_the_derivatives(case):
    model = make(case, SEEDS[:2], inputs=2, hidden=2, layers=1)
    names, values = zip(*model.named_parameters(), strict=True)

    def output(x, *parameters):
        return torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (x, 2))

    assert torch.autograd.gradcheck(output, (normal(2, 2, 3, 2).requires_grad_(), *values))


def test_g_is_continuous_positive_and_grows():
    k = torch.linspace(-8, 8, 161, dtype=torch.float64)
    values = ours_g(k)
    torch.testing.assert_close(values, torch.tensor([g(v) for v in k.tolist()]).double())
    assert (values > 0).all()
    assert (values.diff() > 0).all()


def test_gates_of_a_minlstm_that_are_shut_share_out_one():
    mixer = make("minlstm", hidden=H).float().blocks[0].mixer
    with torch.no_grad():
        mixer.map.W.zero_()
        mixer.map.b[..., :H] = -200.0  # f
        mixer.map.b[..., H : 2 * H] = -201.0  # i: both are zero in float32
        mixer.map.b[..., 2 * H :] = 0.5
    keep, add = mixer.coefficients(mixer.project(torch.zeros(len(SEEDS), T, B, H)))
    torch.testing.assert_close(keep, torch.full_like(keep, sigmoid(1.0)))
    torch.testing.assert_close(add, torch.full_like(add, sigmoid(-1.0)))


# The start


@pytest.mark.parametrize(("name", "gates"), [("mingru", 2), ("minlstm", 3)])
def test_gates_start_as_torchs_linear_map(name, gates):
    hidden = 64
    model = make(name, hidden=hidden)
    torchs = torch.nn.Linear(hidden, gates * hidden)
    for block in model.blocks:
        for ours, theirs in (
            (block.mixer.map.W, torchs.weight),
            (block.mixer.map.b, torchs.bias),
        ):
            assert ours[0].numel() == theirs.numel()
            assert ours.abs().max() <= 1 / sqrt(hidden)
            assert ours.abs().max() > 0.98 / sqrt(hidden)
            off = 4 * sqrt(0.2 / ours.numel())  # four deviations of the estimate
            assert ours.std().item() == pytest.approx(1 / sqrt(3 * hidden), rel=off)


@pytest.mark.parametrize(
    ("r_min", "r_max", "max_phase"), [(0.0, 1.0, 6.28), (0.9, 0.999, pi / 10), (0.4, 1.0, 1.0)]
)
def test_the_eigenvalues_of_an_lru_start_evenly_on_a_ring(r_min, r_max, max_phase):
    hidden = 400
    model = make("lru", hidden=hidden, layers=1, r_min=r_min, r_max=r_max, max_phase=max_phase)
    mixer = model.blocks[0].mixer
    size, angle = (-mixer.nu.exp()).exp(), mixer.theta.exp()
    for values, low, high in ((size**2, r_min**2, r_max**2), (angle, 0, max_phase)):
        even = (values.detach() - low) / (high - low)
        assert even.min() >= -1e-6
        assert even.max() <= 1 + 1e-6
        for member in even:
            ranks = torch.arange(1, hidden + 1, dtype=torch.float64) / hidden
            distance = (member.sort().values - ranks).abs().max().item()
            assert distance < 1.63 / sqrt(hidden) + 1 / hidden  # Kolmogorov and Smirnov, 1 %
    torch.testing.assert_close(mixer.gamma.exp(), (1 - size**2).sqrt(), rtol=1e-4, atol=1e-5)
    a, _ = mixer.coefficients(mixer.project(normal(len(SEEDS), 1, 1, hidden)))
    torch.testing.assert_close(a.abs()[:, 0, 0], size)
    apart = torch.polar(torch.ones_like(angle), angle - a.angle()[:, 0, 0])
    torch.testing.assert_close(apart, torch.ones_like(apart))


def test_the_maps_of_an_lru_start_as_normal_numbers():
    hidden = 100
    mixer = make("lru", hidden=hidden, layers=1).blocks[0].mixer
    for part, deviation in (
        (mixer.B, 1 / sqrt(2 * hidden)),
        (mixer.C, 1 / sqrt(hidden)),
        (mixer.D, 1.0),
    ):
        z = part.detach().flatten() / deviation
        n = len(z)
        assert abs(z.mean()) < 4 / sqrt(n)
        assert abs(z.square().mean() - 1) < 4 * sqrt(2 / n)
        assert abs(z.pow(4).mean() - 3) < 4 * sqrt(96 / n)


def test_the_state_of_an_lru_keeps_the_size_of_white_noise():
    """That is what γ is for: the variance of a unit is that of its input, however long it remembers."""
    model = make("lru", hidden=100, layers=1, r_min=0.5, r_max=0.95)
    mixer, x = model.blocks[0].mixer, normal(len(SEEDS), 2, 2000, 100)
    a, b = mixer.coefficients(mixer.project(x.transpose(1, 2)))
    state = mixer.start(2, 0)
    power = 0.0
    for t in range(2000):
        state = a[:, 0] * state + b[:, t]
        power += state.abs().square().mean().item() / 2000
    assert power == pytest.approx(1, abs=0.1)


def test_a_unit_of_an_lru_starts_inside_of_the_circle_whatever_is_drawn():
    mixer = make("lru", seeds=tuple(range(100)), hidden=50).float().blocks[0].mixer
    assert mixer.nu.isfinite().all()
    assert mixer.gamma.isfinite().all()
    assert mixer.nu.max() < log(18)  # |λ| of 2^-25 and more
    assert mixer.gamma.max() <= 0


# Errors


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"r_min": 0.9, "r_max": 0.5}, "no λ lies between r_min 0.9 and r_max 0.5; choose"),
        ({"r_max": 1.5}, "no λ lies between r_min 0.0 and r_max 1.5; choose"),
        ({"max_phase": 0.0}, "max_phase 0.0 is no angle; choose from above 0 to 2π"),
    ],
)
def test_errors_of_the_ring_teach(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        make("lru", **options)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_no_kernel_of_torch(name):
    model = MODELS[name](identities(name), inputs=3, outputs=2, hidden=4)
    model.use_scan("native")
    with pytest.raises(BadInput, match="a diagonal recurrence has no scan 'native'"):
        model(torch.zeros(3, 1, 2, 3), 1)
