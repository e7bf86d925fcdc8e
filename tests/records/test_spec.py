"""A run specification: what it may be made of; what does not fit is one sentence."""

from itertools import count

import pytest

from seqbench.errors import BadInput
from seqbench.records.spec import RunSpec


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"grid": [1e-40]}, "grid: 1e-40 is too small to be divided by; got"),
        ({"learning_rate": 1e-320}, "learning_rate: 9.99989e-321 is too small to be divided by"),
        ({"profile": "smoke\n"}, r"profile: 'smoke\n' is no line of printable characters; got"),
        ({"tasks": ["a" * 501]}, "tasks: String should have at most 500 characters; got"),
        ({"lags": range(10**30)}, "lags must be a list or tuple, also of one; got range"),
        ({"lags": count()}, "lags must be a list or tuple, also of one; got count(0)"),
        ({"tasks": {"latch", "copy"}}, "tasks must be a list or tuple, also of one; got {"),
    ],
)
def test_what_does_not_fit_is_one_sentence(options, why):
    with pytest.raises(BadInput) as caught:
        RunSpec.of(options)
    assert str(caught.value).startswith(why)


def test_a_file_may_begin_with_the_mark_of_an_editor(tmp_path):
    file = tmp_path / "marked.toml"
    file.write_bytes(b"\xef\xbb\xbfprofile = 'smoke'\r\n")
    assert RunSpec.read(str(file)) == RunSpec(profile="smoke")


def test_a_rate_takes_the_place_of_a_grid_and_a_grid_of_a_rate():
    spec = RunSpec(profile="experiment", grid=[1e-3, 1e-2], steps=9)
    one = spec.change({"learning_rate": 0.1})
    assert (one.learning_rate, one.grid, one.steps) == (0.1, (), 9)
    back = one.change({"grid": [1e-3]})
    assert (back.learning_rate, back.grid) == (None, (1e-3,))
    assert spec.change({"steps": 8}).grid == (1e-3, 1e-2)
