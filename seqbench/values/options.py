"""The options of tasks and models: what a user may set, read from the declarations and checked before a run.

An option is a field of a task's dataclass, or a keyword argument of a model with a default, whose type is int, float,
bool or str. Its annotation restricts the values::

    window: Annotated[int, Field(ge=1, le=10_000, description="steps that are read at once")] = 8

``OneOf`` in place of ``Field`` lists the choices; without either, any value of the type is allowed. A size that may be
None is matched to the number of parameters and is not an option, nor is what the task determines (``inputs``,
``outputs``, ``causal``). ``option_sources`` of a model's class lists the callables that its options are passed on to,
such as its cell.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from inspect import Parameter, signature
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from seqbench.errors import BadInput, describe, unknown
from seqbench.text import shorten
from seqbench.values.variants import Value

COMMON: Final = {  # options of every model
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

Entry = Any  # the class of a task or of a model; this room knows neither


class OneOf:
    """An annotation: the value is one of these."""

    def __init__(self, *choices: Value) -> None:
        self.choices = choices

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> Any:  # a schema of pydantic-core, which is not a dependency of its own
        return handler.generate_schema(Literal[self.choices])


@dataclass(frozen=True)
class Option:
    """One option: its name, its type with restrictions, and its default."""

    name: str
    annotation: Any  # ``Annotated`` with restrictions is no type to a type checker
    default: Value | None

    @property
    def about(self) -> str:
        """Return its description, or an empty string."""
        notes = [n for n in get_args(self.annotation) if isinstance(n, FieldInfo)]
        return next((n.description for n in notes if n.description), "")

    @property
    def choices(self) -> str:
        """Return its allowed values, in words."""
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
    def adapter(self) -> Any:  # Any: beartype does not know TypeAdapter
        """Return the pydantic adapter that checks a value."""
        return TypeAdapter(self.annotation, config=STRICT)

    def to_row(self) -> dict[str, Value | None]:
        """Return the option as a row of a list."""
        return {
            "name": self.name,
            "default": self.default,
            "choices": self.choices,
            "about": self.about,
        }


def check_options(
    kind: str, name: str, entry: Entry, given: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the values of options, converted to their declared types.

    Raises
    ------
    BadInput
        If the entry has no such option, or the option can't have this value.
    """
    known = list_options(entry)
    checked = {}
    for option, value in given.items():
        if option not in known:
            if not known:
                raise BadInput(f"unknown option '{option}' of {kind} '{name}'; it has none")
            raise unknown(f"option of {kind} '{name}'", option, known)
        try:
            checked[option] = known[option].adapter.validate_python(value)
            if isinstance(value, float | bool) and type(value) is not type(checked[option]):
                raise TypeError(value)  # 2.0 and true are not whole numbers
        except (ValidationError, TypeError):
            raise BadInput(
                f"option '{option}' of {kind} '{name}' can't be '{shorten(str(value), 40)}'; "
                f"choose {known[option].choices}"
            ) from None
    return checked


@cache
def list_options(entry: Entry) -> Mapping[str, Option]:
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
    found: dict[str, Option] = {}
    try:
        sources: Iterable[Callable[..., object]] = entry.option_sources()
        for source in sources:
            for function in list_constructors(source):
                for option in list_keyword_options(function):
                    found.setdefault(option.name, option)
    except Exception as error:  # in a user-defined class, such as a recurrence without a cell
        raise BadInput(f"the options of '{entry.name}' can't be read: {describe(error)}") from None
    return found


def list_constructors(source: Callable[..., object]) -> Iterator[Callable[..., object]]:
    """Yield a function itself, or the constructor of a class and those that its ``**options`` are passed on to."""
    if not isinstance(source, type):
        yield source
        return
    for base in source.__mro__:
        if "__init__" in vars(base):
            constructor = vars(base)["__init__"]
            yield constructor
            if not any(p.kind is p.VAR_KEYWORD for p in signature(constructor).parameters.values()):
                return


def list_keyword_options(function: Callable[..., object]) -> Iterator[Option]:
    """Yield the options among the keyword arguments of a function."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (TypeError, NameError):
        hints = {}  # a partial function has none; a name may exist for type checkers only
    for p in signature(function).parameters.values():
        given = p.default is not Parameter.empty
        hint = hints.get(p.name, type(p.default) if given else int)
        if p.name in COMMON and hint in PLAIN:
            hint = COMMON[p.name]
        if p.name not in SHAPE and is_plain(hint) and (given or p.name == "hidden"):
            yield Option(p.name, hint, p.default if given else None)


def is_plain(hint: object) -> bool:
    """Return whether an annotation is of a plain type: int, float, bool or str."""
    if get_origin(hint) is Annotated:
        return is_plain(get_args(hint)[0])
    return hint in PLAIN
