"""What a stranger could write into a results folder: put into every text of every schema, found by their types."""

import json
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import made
from pydantic import ValidationError

from seqbench.ledger.rows import ONLINE
from seqbench.records.schema import Baseline, Curve, Planned, Rung, Strict, canonical
from seqbench.report.facts import collect_facts

Place = tuple[str, ...]  # where a text stands: names of fields, and of a dict its KEY or its VALUE
KEY, VALUE = "its key", "its value"

# For all outputs at once, on one printable line.
PAYLOAD = (
    "{{ cycler.__init__.__globals__.os.popen('touch ran').read() }} {{ 1234567 * 3 }} "
    '</td><script>alert(1)</script>"><img src=x onerror=alert(1)> &lt; '
    r"\input{/etc/passwd} \write18{touch ran} $x^2$ $y % ~ ^ \ # & _ } {"
    " | `a` ``` ```{eval-rst} {doc}`intro` ::: [x](javascript:alert(1)) http://a.b **b** "
    "@comment{ [red]r[/red] :smile: − 漢"
)
CONTROLS = "a\x1b[31mb\x9b2Jc\nER  - \n@misc{x}\r\u202ed\u2028e"


def failed() -> Strict:
    """Return a record with a reason."""
    gone = {"score": None, "test_loss": None, "steps": 0, "steps_to_solve": None}
    nothing = Curve(step=[], loss=[], score=[])
    return made.record(1, verdict="failed", reason="it could not be", curve=nothing, **gone)


SYSTEM = made.SYSTEM.model_copy(update={"accelerator": "an abacus more"})
BASELINE = Baseline(
    task="adding",
    task_version=1,
    lag=8,
    name="guess",
    score=0.5,
    scale=made.record().scale,
    commit="c" * 40,
    dirty=False,
    system=SYSTEM.id,
)
RUNG = Rung(ladder="adding", knob="length", unit="steps", value=8)
EXAMPLES: dict[str, Strict] = {  # by the file that holds it
    "manifest.json": made.MANIFEST.model_copy(update={"files": {"plan.jsonl": "0" * 64}}),
    "facts.json": collect_facts(),
    "plan.jsonl": Planned(unit=made.UNIT, part="core", seeds=1, rung=RUNG),
    "records/adding/one.jsonl": made.record(),
    "records/adding/two.jsonl": failed(),
    "throughput/one.jsonl": made.throughput(),
    "comparisons/one.jsonl": made.comparison(),
    "baselines/one.jsonl": BASELINE,
    "probes/one.jsonl": made.probe(),
    "trials/one.jsonl": made.trial(ONLINE["hs97-reber"]),
    f"systems/{SYSTEM.id}.json": SYSTEM,
}


def texts(kind: Any, at: Place = ()) -> Iterator[tuple[Place, bool]]:
    """Yield where the texts of a type stand, and whether each has a rule."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is str:
        yield at, False
    elif origin is Annotated:
        rules = len(inner) > 1
        yield from ((place, rules or ruled) for place, ruled in texts(inner[0], at))
    elif origin is dict:
        yield from texts(inner[0], (*at, KEY))
        yield from texts(inner[1], (*at, VALUE))
    elif origin in (Union, UnionType, list, tuple):
        for each in inner:
            yield from texts(each, at)
    elif origin is not Literal and isinstance(kind, type) and issubclass(kind, Strict):
        for name, field in kind.model_fields.items():
            rule = [*field.metadata]
            whole = Annotated[field.annotation, *rule] if rule else field.annotation
            yield from texts(whole, (*at, name))


def put(value: Any, place: Place, text: str) -> Any:
    """Return a document with another text in a place; of a list, in all its members that have such a place."""
    if isinstance(value, list):
        return [put(v, place, text) if not place or place[0] in v else v for v in value]
    if not place:
        return text
    name, *rest = place
    if name == KEY:
        return {text: next(iter(value.values()), 1)}
    if name == VALUE:
        return {next(iter(value), "some"): text}
    return value | {name: put(value.get(name), tuple(rest), text)}


def accepted(thing: Strict, place: Place, text: str) -> bool:
    """Return whether a thing may have a text in a place."""
    changed = put(json.loads(thing.canonical()), place, text)
    try:
        type(thing).model_validate_json(canonical(changed))
    except ValidationError:
        return False
    return True


def spoiled(thing: Any, **changes: object) -> Any:
    """Return a thing, with changes, and with the payload in every text that may hold it."""
    document = json.loads(thing.canonical()) | changes
    for place in {place for place, _ in texts(type(thing))}:
        if accepted(thing, place, PAYLOAD):
            document = put(document, place, PAYLOAD)
    return type(thing).model_validate_json(canonical(document))
