"""Checking the arguments of public functions by their annotations; one sentence names what does not fit."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec, TypeVar, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from seqbench.errors import BadInput, unknown
from seqbench.text import shorten
from seqbench.values.fields import not_too_small

P = ParamSpec("P")
R = TypeVar("R")

CONFIG: Final = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)
KIND: Final = "Input should be "  # how pydantic begins
MOST: Final = 100_000_000  # steps, sequences, seconds: larger numbers are typing errors

Count = Annotated[int, Field(gt=0, le=MOST)]
Lag = Annotated[int, Field(ge=0, le=MOST)]
Workers = Annotated[int, Field(gt=0, le=1024)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False), AfterValidator(not_too_small)]


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its arguments checked by their annotations.

    An argument that does not fit raises ``BadInput``, and so does an ``OSError`` within the function.
    """
    known = signature(function)
    takes_more = any(p.kind is p.VAR_KEYWORD for p in known.parameters.values())  # and checks it

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs if not takes_more else ():
            if name not in known.parameters:
                raise unknown(f"argument of {function.__name__}", name, known.parameters)
        try:
            given = known.bind(*args, **kwargs)
        except TypeError as error:
            raise BadInput(f"{function.__name__}: {error}") from None
        for name, value in given.arguments.items():
            if "\0" in str(value if isinstance(value, str | Path) else ""):
                raise BadInput(f"{name} has a letter in it that no name and no path can have")
            if known.parameters[name].kind is not Parameter.VAR_KEYWORD:
                check(name, value, make_adapters(function)[name])
        try:
            return function(*args, **kwargs)
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            raise BadInput(shorten(f"can't use{place}: {error.strerror or error}")) from error

    return call


def check(name: str, value: Any, adapter: Any) -> None:
    """Raise ``BadInput`` if a value does not fit an argument."""
    try:
        adapter.validate_python(spread(value))
    except ValidationError as error:
        raise refusal(name, value, error.errors()) from None


def spread(value: Any) -> Any:
    """Return a range as a list, since pydantic does not accept it as one; a long one is left, and refused."""
    return list(value) if isinstance(value, range) and not value[10_000:] else value


def refusal(name: str, value: Any, errors: Iterable[Mapping[str, Any]]) -> BadInput:
    """Return the error for an argument that does not fit, from what pydantic says of it."""
    kinds, faults = {}, {}  # what it should be, and what is wrong with it
    for error in errors:
        if error["type"] in ("sequence_str", "tuple_type"):
            kinds["a list or tuple, also of one"] = True
        elif error["msg"].startswith(KIND):
            kinds[error["msg"].removeprefix(KIND)] = True
        else:
            faults[error["msg"].removeprefix("Value error, ")] = True
    why = f" must be {' or '.join(kinds)}" if kinds else f": {' and '.join(faults)}"
    return BadInput(f"{name}{why}; got {show(value)}")


def show(value: Any) -> str:
    """Return the repr of a value, shortened; its type if it has no repr."""
    try:
        return shorten(repr(value), most=80)
    except Exception:
        return f"a {type(value).__name__}"


# Any: beartype does not know TypeAdapter.
@cache
def make_adapters(function: Callable[..., object]) -> dict[str, Any]:
    """Return the pydantic adapter of each argument of a function."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: TypeAdapter(hints[name], config=CONFIG) for name in signature(function).parameters
    }
