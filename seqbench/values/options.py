"""The options of tasks and models: what a user may set, read from where it is declared and checked before a run.

An option is a field of a task's dataclass, or a keyword argument of a model with a default, that is a whole number, a
number, a truth value or a word. Its annotation says what it can be::

    window: Annotated[int, Field(ge=1, le=10_000, description="steps that are read at once")] = 8

``OneOf`` in its place lists what it can be; without either any value of its type is taken. A size that may be None is
matched to the number of parameters, and is no option; nor is what the task says (``inputs``, ``outputs``, ``causal``).
``option_sources`` of a model's class lists the classes and functions that declare its options, such as its cell.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from inspect import Parameter, signature
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from seqbench.errors import BadInput, unknown
from seqbench.text import cut
from seqbench.values.variants import Value

COMMON: Final = {  # of any model, declared once
    "layers": Annotated[int, Field(ge=1, le=64, description="layers, one above the other")],
    "hidden": Annotated[
        int, Field(ge=1, le=8192, description="hidden units; else matched to the profile's size")
    ],
    "dropout": Annotated[
        float, Field(ge=0, lt=1, description="share of a layer's output dropped in training")
    ],
}
PLAIN: Final = (bool, int, float, str)
SHAPE: Final = ("inputs", "outputs", "causal")  # given by the task, not by the user
STRICT: Final = ConfigDict(strict=True, allow_inf_nan=False)


class OneOf:
    """In an annotation: that a value is one of these."""

    def __init__(self, *choices: Value) -> None:
        self.choices = choices

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(Literal[self.choices])


@dataclass(frozen=True)
class Option:
    """One option: its name, what it can be, and what it is if nobody says."""

    name: str
    annotation: Any
    default: Value | None

    @property
    def about(self) -> str:
        """Return what it is for, if its declaration says so."""
        notes = [n for n in get_args(self.annotation) if isinstance(n, FieldInfo)]
        return next((n.description for n in notes if n.description), "")

    @property
    def choices(self) -> str:
        """Return what it can be, in words."""
        schema = self.adapter.json_schema()
        if "enum" in schema or "const" in schema:
            return " or ".join(map(str, schema.get("enum", [schema.get("const")])))
        kinds = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
        low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
        high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
        ends = [
            f"from {low:,}" if low is not None else f"above {above:,}" if above is not None else "",
            f"to {high:,}" if high is not None else f"below {below:,}" if below is not None else "",
        ]
        return " ".join([kinds.get(schema.get("type", ""), "a word"), *filter(None, ends)])

    @property
    def adapter(self) -> Any:  # beartype knows no TypeAdapter
        """Return what checks a value."""
        return TypeAdapter(self.annotation, config=STRICT)

    def row(self) -> dict[str, Any]:
        """Return the option as a row of a list."""
        return {
            "name": self.name,
            "default": self.default,
            "choices": self.choices,
            "about": self.about,
        }


def check_options(kind: str, name: str, entry: Any, given: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values of options as their types have them.

    Raises
    ------
    BadInput
        At an option that the entry does not have, or a value that the option can't take.
    """
    known = options_of(entry)
    checked = {}
    for option, value in given.items():
        if option not in known:
            if not known:
                raise BadInput(f"unknown option '{option}' of {kind} '{name}'; it has none")
            raise unknown(f"option of {kind} '{name}'", option, known)
        try:
            checked[option] = known[option].adapter.validate_python(value)
            if isinstance(value, float | bool) and type(value) is not type(checked[option]):
                raise TypeError(value)  # 2.0 is no whole number, nor is true
        except (ValidationError, TypeError):
            raise BadInput(
                f"option '{option}' of {kind} '{name}' can't be '{cut(str(value), 40)}'; "
                f"choose {known[option].choices}"
            ) from None
    return checked


@cache
def options_of(entry: Any) -> Mapping[str, Option]:
    """Return the options of a task's or a model's class, by name."""
    if is_dataclass(entry):
        try:
            hints = get_type_hints(entry, include_extras=True)
        except (NameError, TypeError) as error:
            name = vars(entry).get("name", "")
            raise BadInput(f"the annotations of '{name}' can't be read: {error}") from None
        return {
            f.name: Option(f.name, hints[f.name], None if f.default is MISSING else f.default)
            for f in fields(entry)
            if f.name != "lag" and f.init and is_plain(hints[f.name])
        }
    sources: Iterable[Callable[..., Any]] = entry.option_sources()
    found: dict[str, Option] = {}
    for source in sources:
        for function in constructors(source):
            for option in keywords(function):
                found.setdefault(option.name, option)
    return found


def constructors(source: Any) -> Iterator[Any]:
    """Yield a function itself; of a class its constructor, and those that it hands its ``**options`` on to."""
    if not isinstance(source, type):
        yield source
        return
    for base in source.__mro__:
        if "__init__" in vars(base):
            constructor = vars(base)["__init__"]
            yield constructor
            if not any(p.kind is p.VAR_KEYWORD for p in signature(constructor).parameters.values()):
                return


def keywords(function: Callable[..., Any]) -> Iterator[Option]:
    """Yield the options among the keyword arguments of a function."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (
        TypeError,
        NameError,
    ):  # a partial function has none; a name may be known to a type checker only
        hints = {}
    for p in signature(function).parameters.values():
        given = p.default is not Parameter.empty
        hint = hints.get(p.name, type(p.default) if given else int)
        if p.name in COMMON and hint in PLAIN:
            hint = COMMON[p.name]
        if p.name not in SHAPE and is_plain(hint) and (given or p.name == "hidden"):
            yield Option(p.name, hint, p.default if given else None)


def is_plain(hint: Any) -> bool:
    """Return whether an annotation is of a value that can be spelled in a line."""
    if get_origin(hint) is Annotated:
        return is_plain(get_args(hint)[0])
    return hint in PLAIN
