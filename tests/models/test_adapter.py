"""A plain module with members against the same modules run one by one."""

import warnings

import pytest
import torch
from torch import nn

from seqbench.errors import BadInput
from seqbench.models.adapter import adapt
from seqbench.models.sizing import count, match_sizes
from seqbench.training.stack import Stack

from . import FRAME, SEEDS, gradients, identities, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


class Read(nn.Module):
    """A recurrence of torch's, and a readout."""

    def __init__(self, kind, inputs, outputs, hidden):
        super().__init__()
        self.recurrence = kind(inputs, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.readout(self.recurrence(x)[0])


class Normed(nn.Module):
    """Has buffers that change in training."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs)
        self.up = nn.Linear(inputs, hidden)
        self.down = nn.Linear(hidden, outputs)
        self.register_buffer("shift", torch.randn(outputs))

    def forward(self, x):
        x = self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.down(self.up(x).tanh()) + self.shift


class Tied(nn.Module):
    """Uses the same weights twice."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.enter, self.a, self.b = (nn.Linear(n, hidden) for n in (inputs, hidden, hidden))
        self.b.weight = self.a.weight
        self.leave = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.leave(self.b(self.a(self.enter(x)).tanh()))


class Twice(nn.Module):
    """Has a submodule under two names, and a buffer, too."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.enter, self.middle = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.again = self.middle
        self.leave = nn.Linear(hidden, outputs)
        self.register_buffer("shift", torch.randn(outputs))
        self.register_buffer("same", self.shift)

    def forward(self, x):
        return self.leave(self.again(self.middle(self.enter(x)).tanh())) + self.same


class Recurrent(nn.Module):
    """Has a recurrence of torch's under two names."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.same = self.gru
        self.leave = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.leave(self.same(x)[0])


class Scaled(nn.Module):
    """Has a parameter that is a single number, and counts its calls."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.5))
        self.up, self.down = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls += 1
        return self.gain * self.down(self.up(x).tanh())


def linear(inputs, outputs, hidden):
    """An affine map of each step by itself."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))


def gru(inputs, outputs, hidden):
    return Read(nn.GRU, inputs, outputs, hidden)


def lstm(inputs, outputs, hidden):
    return Read(nn.LSTM, inputs, outputs, hidden)


FACTORIES = {"linear": (linear, True), "gru": (gru, False), "lstm": (lstm, False),
             "normed": (Normed, True), "tied": (Tied, True), "twice": (Twice, True),
             "recurrent": (Recurrent, False), "scaled": (Scaled, True)}  # fmt: skip

each = pytest.mark.parametrize("name", FACTORIES)


def make(name, seeds=SEEDS, **options):
    shape = {"inputs": 3, "outputs": 2, "hidden": 4} | options
    return adapt(name, FACTORIES[name][0])(identities(name, seeds), **shape).double()


def one_by_one(name, model):
    """Return the members of a model as modules of their own."""
    modules = []
    for e in range(len(SEEDS)):
        module = FACTORIES[name][0](3, 2, 4).double()
        module.load_state_dict({key: value[e] for key, value in model.net.state_dict().items()})
        modules.append(module)
    return modules


@each
def test_it_is_the_modules_one_by_one(name):
    model, x = make(name), normal(len(SEEDS), 4, 5, 3)
    modules = one_by_one(name, model)
    for step in range(3):  # buffers change at every step
        output = model(x + step, 2)
        wanted = torch.stack([m(x_e + step) for m, x_e in zip(modules, x, strict=True)])[:, :, -2:]
        torch.testing.assert_close(output, wanted, **CLOSE)
    assert model.batched == {True: FACTORIES[name][1]}

    names = [key for key, _ in modules[0].named_parameters()]
    assert [key for key, _ in model.named_parameters()] == [f"net.{key}" for key in names]
    grads = gradients(output, *model.parameters())
    leaves = [p for module in modules for p in module.parameters()]
    each_grad = iter(gradients(wanted, *leaves))
    for e in range(len(SEEDS)):
        for g in grads:
            torch.testing.assert_close(g[e], next(each_grad), **CLOSE)
    for e, module in enumerate(modules):
        for key, buffer in module.named_buffers():
            torch.testing.assert_close(dict(model.net.named_buffers())[key][e], buffer, **CLOSE)


@each
def test_a_member_is_the_run_with_its_seed_alone(name):
    together, x = make(name), normal(len(SEEDS), 4, 5, 3)
    output = together(x, 5)
    for e, seed in enumerate(SEEDS):
        alone = make(name, (seed,))
        for p, q in zip(together.parameters(), alone.parameters(), strict=True):
            assert torch.equal(p[e], q[0])
        torch.testing.assert_close(output[e], alone(x[e : e + 1], 5)[0], **CLOSE)
    same = together(x[:1].expand_as(x), 5)
    assert not torch.isclose(same[0], same[1]).any()


@each
def test_a_member_that_is_not_finite_leaves_the_others(name):
    model, x = make(name), normal(len(SEEDS), 4, 5, 3)
    before = model(x, 1).detach()
    with torch.no_grad():
        for p in model.parameters():
            p[1] = torch.nan
    output = model(x, 1)
    grads = gradients(output, *model.parameters())
    for e in (0, 2):
        torch.testing.assert_close(output[e], before[e], **CLOSE)
        assert all(g[e].isfinite().all() for g in grads)


@each
def test_the_random_state_of_torch_is_neither_read_nor_moved(name):
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        model = make(name)
        model(normal(len(SEEDS), 4, 5, 3), 1)
        assert torch.equal(before, torch.get_rng_state())
        states.append(make(name).state_dict())
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key])


def test_a_module_that_draws_while_it_runs_is_refused():
    def dropping(inputs, outputs, hidden):
        return nn.Sequential(nn.Linear(inputs, outputs), nn.Dropout(0.5))

    model = adapt("dropping", dropping)(identities("dropping"), inputs=3, outputs=2, hidden=4)
    with pytest.raises(BadInput, match=r"dropping draws random numbers .* dropout"):
        model(torch.zeros(3, 4, 5, 3), 1)


def of_two(make_module):
    """Return two members of a module that gives as many outputs as inputs."""
    return adapt("two", make_module)(identities("two", (0, 1)), inputs=3, outputs=3, hidden=4)


class Carrying(nn.Module):
    """Begins where the call before it ended."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.down = nn.Linear(inputs, outputs)
        self.last = 0.0

    def forward(self, x):
        y = self.down(x) + self.last
        self.last = y.detach().mean()
        return y


class Renewed(nn.Module):
    """Counts its calls in a tensor that takes the place of the buffer."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.down = nn.Linear(inputs, outputs)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls = self.calls + 1
        return self.down(x)


class Holding(nn.Module):
    """Has a parameter of some kind."""

    def __init__(self, parameter):
        super().__init__()
        self.w = parameter

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (Carrying, "two keeps a state in Python .* or keep it in a buffer"),
        (Renewed, r"two assigns 'calls' anew .* change it in place"),
        (lambda *_: Holding(nn.Parameter(torch.ones(2, dtype=torch.complex64))),
         r"the parameter 'w' of model 'two' is complex; .*view_as_complex"),
        (lambda *_: Holding(nn.Parameter(torch.ones(2).double())),
         "the parameter 'w' of model 'two' is torch.float64; it must be torch.float32"),
        (lambda *_: nn.LazyLinear(3), "the parameter 'weight' of model 'two' has no shape before"),
    ],
)  # fmt: skip
def test_what_can_not_be_adapted_is_refused_with_what_to_do(factory, says):
    with pytest.raises(BadInput, match=says):
        of_two(factory)(torch.ones(2, 4, 5, 3), 1)


def test_a_module_that_gives_a_tuple_is_told_to_take_a_part():
    net = of_two(lambda inputs, outputs, hidden: nn.LSTM(inputs, hidden, batch_first=True))
    with pytest.raises(TypeError, match=r"of model 'two' gives a tuple; .* take the part"):
        net(torch.ones(2, 4, 5, 3), 1)


def test_a_frozen_parameter_is_everybodys_own_and_is_not_trained():
    def half(inputs, outputs, hidden):
        net = linear(inputs, outputs, hidden)
        net[0].requires_grad_(False)
        return net

    net = of_two(half)
    x = normal(2, 4, 5, 3).float()
    stack = Stack(net, [0.1, 0.1])
    before = {name: p.clone() for name, p in net.named_parameters()}
    assert not torch.equal(*before["net.0.weight"])
    stack.step(stack.gradient(net(x, 5).square().sum(dim=(1, 2, 3))), 1, 1.0)
    same = {name for name, p in net.named_parameters() if torch.equal(p, before[name])}
    assert same == {"net.0.weight", "net.0.bias"}


def test_what_can_be_batched_is_asked_in_training_and_else():
    def bounded(inputs, outputs, hidden):
        return nn.utils.parametrizations.spectral_norm(nn.Linear(inputs, outputs))

    net, x = of_two(bounded), normal(2, 4, 5, 3).float()
    net.eval()(x, 5)
    net.train()(x, 5)
    assert net.batched == {False: True, True: False}  # its iteration in training can't be


def test_steps_of_a_size_are_kept():
    def attention(inputs, outputs, hidden, wide=1):
        assert hidden % 4 == 0
        return nn.Sequential(
            nn.Linear(inputs, hidden), nn.Linear(hidden, wide), nn.Linear(wide, outputs)
        )

    model = adapt("attention", attention, size_options={"hidden": 4, "wide": 1})
    sizes = match_sizes(model, 1_000, inputs=3, outputs=2)
    assert sizes["hidden"] % 4 == 0
    size = count(model(identities("attention"), inputs=3, outputs=2, **sizes))
    assert abs(size - 1_000) <= 100


def test_a_faulty_module_says_so_itself():
    def faulty(inputs, outputs, hidden):
        return nn.Linear(inputs + 1, outputs)

    model = adapt("faulty", faulty)(identities("faulty"), inputs=3, outputs=2, hidden=4)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model(torch.zeros(3, 4, 5, 3), 1)


def test_a_factory_is_given_what_it_asks_for():
    asked = {}

    def asking(inputs, outputs, hidden, layers, causal, slope=0.1):
        asked.update(layers=layers, causal=causal, slope=slope)
        return nn.Linear(inputs, outputs)

    model = adapt("asking", asking, version=4)
    model(identities("asking"), inputs=3, outputs=2, hidden=4, layers=3, causal=False, slope=0.2)
    assert asked == {"layers": 3, "causal": False, "slope": 0.2}
    assert (model.name, model.version, model.reads) == ("asking", 4, "sequence")


def test_a_factory_without_layers_has_one():
    with pytest.raises(BadInput, match="linear takes no number of layers; 2 were asked for"):
        make("linear", layers=2)


def test_frames_are_read_as_they_are():
    def flat(inputs, outputs, hidden):
        channels, height, width = inputs
        return nn.Sequential(nn.Flatten(2), nn.Linear(channels * height * width, outputs))

    model = adapt("flat", flat, reads="video")
    net = model(identities("flat"), inputs=FRAME, outputs=2, hidden=4).double()
    assert net(normal(3, 2, 4, *FRAME), 2).shape == (3, 2, 2, 2)
    assert model.reads == "video"


def test_its_size_is_matched_and_its_docstring_kept():
    model = adapt("linear", linear)
    sizes = match_sizes(model, 1_000, inputs=3, outputs=2)
    assert sizes == {"hidden": 166}  # 6 H + 2
    assert count(model(identities("linear"), inputs=3, outputs=2, **sizes)) == 998
    assert model.__doc__ == "An affine map of each step by itself."


def test_no_warning_reaches_the_user():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make("lstm")(normal(len(SEEDS), 4, 5, 3), 1)
    assert not caught
