"""What a public function is given: what does not fit is told in one sentence."""

from collections.abc import Sequence
from math import inf, nan
from pathlib import Path

import pytest

from seqbench.errors import BadInput
from seqbench.values.arguments import Count, Rate, Seconds, check_arguments


@check_arguments
def measure(
    name: str, *, seeds: Count | None = None, rate: Rate | None = None, lags: Sequence[int] = (),
    budget: Seconds | None = None, force: bool = False, out: str | Path = "",
) -> str:  # fmt: skip
    """Return what was given."""
    if name == "absent":
        raise FileNotFoundError(2, "No such file or directory", "over/there")
    return f"{name} {seeds} {rate} {list(lags)} {budget} {force}"


class Unshowable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((), {}, "measure: missing a required argument: 'name'"),
        (("a", "b"), {}, "measure: too many positional arguments"),
        ((3,), {}, "name must be a valid string; got 3"),
        (("a",), {"seed": 1}, "unknown argument of measure 'seed'; did you mean 'seeds'"),
        (("a",), {"seeds": "3"}, "seeds must be a valid integer; got '3'"),
        (("a",), {"seeds": True}, "seeds must be a valid integer; got True"),
        (("a",), {"seeds": 0}, "seeds must be greater than 0; got 0"),
        (("a",), {"seeds": 10**18}, "seeds must be less than or equal to 100000000"),
        (("a",), {"rate": nan}, "rate must be a finite number; got nan"),
        (("a",), {"rate": inf}, "rate must be a finite number; got inf"),
        (("a",), {"rate": -1.0}, "rate must be greater than 0; got -1.0"),
        (("a",), {"rate": 1e-40}, "rate: 1e-40 is too small to be divided by; got 1e-40"),
        (("a",), {"out": 3}, "out must be a valid string or an instance of Path; got 3"),
        (("a",), {"lags": range(10**30)}, "lags must be a valid list; got range(0, 1"),
        (("a",), {"lags": 3}, "lags must be an instance of Sequence; got 3"),
        (("a",), {"lags": ["3"]}, "lags must be a valid integer; got"),
        (("a",), {"budget": "9m"}, "budget must be a valid number; got '9m'"),
        (("a",), {"force": 1}, "force must be a valid boolean; got 1"),
        ((Unshowable(),), {}, "name must be a valid string; got a Unshowable"),
        (("absent",), {}, "can't use over/there: No such file or directory"),
    ],
)
def test_what_does_not_fit_is_one_sentence(args, kwargs, why):
    with pytest.raises(BadInput) as caught:
        measure(*args, **kwargs)
    assert str(caught.value).startswith(why)
    assert "\n" not in str(caught.value)


def test_what_fits_is_passed_on():
    assert measure("a", seeds=3, rate=1, lags=range(2)) == "a 3 1 [0, 1] None False"
    assert measure("a", lags=(5,), budget=2.5, force=True) == "a None None [5] 2.5 True"
