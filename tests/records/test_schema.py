"""The schema: what is written is read back, what can't be is refused, and a unit is named by all that it measures."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import BUDGET, MANIFEST, SYSTEM, UNIT, probe, record, throughput
from pydantic import ValidationError

from seqbench.records.schema import (
    Budget,
    Curve,
    LongerTest,
    Manifest,
    Member,
    Record,
    Strict,
    System,
    Unit,
    canonical,
    digest,
)
from seqbench.values.fields import is_word

ALL: dict[str, Strict] = {
    "record": record(),
    "failed": record(
        verdict="failed",
        reason="ValueError: no",
        score=None,
        test_loss=None,
        steps=0,
        steps_to_solve=None,
        curve=Curve(step=[], loss=[], score=[]),
    ),
    "throughput": throughput(),
    "probe": probe(),
    "system": SYSTEM,
    "manifest": MANIFEST,
    "unit": UNIT,
}
each = pytest.mark.parametrize("thing", ALL.values(), ids=ALL)


def read(thing: Strict, text: str) -> Strict:
    return type(thing).model_validate_json(text)


@each
def test_written_and_read_back_it_is_the_same(thing):
    text = thing.canonical()
    assert "\n" not in text
    assert text.isascii()
    assert read(thing, text) == thing
    assert read(thing, text).canonical() == text


numbers = st.floats(-1e300, 1e300)
words = st.from_regex(r"[A-Za-z][A-Za-z0-9_.+-]{0,20}", fullmatch=True).filter(is_word)
options = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
    st.booleans() | st.integers(-(2**53), 2**53) | numbers | words,
)


@given(loss=st.lists(numbers | st.none(), max_size=6), task_options=options)
def test_every_digit_is_written_and_read_back(loss, task_options):
    # Also 1 and 1.0 and True stay what they are: they are different options, and different units.
    step = [10 * (k + 1) for k in range(len(loss))]
    curve = Curve(step=step, loss=loss, score=loss)
    assert Curve.model_validate_json(curve.canonical()) == curve
    unit = UNIT.model_copy(update={"task_options": task_options})
    again = Unit.model_validate_json(unit.canonical())
    assert again.id == unit.id
    assert {k: type(v) for k, v in again.task_options.items()} == {
        k: type(v) for k, v in task_options.items()
    }


def test_the_canonical_text_is_sorted_and_without_spaces():
    assert (
        canonical({"b": 1.0, "a": [1, None, True, "é"]}) == '{"a":[1,null,true,"\\u00e9"],"b":1.0}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


@each
def test_a_field_that_is_missing_or_one_too_many_is_refused(thing):
    fields = json.loads(thing.canonical())
    with pytest.raises(ValidationError, match="Extra inputs"):
        read(thing, canonical(fields | {"colour": "red"}))
    for name, field in type(thing).model_fields.items():
        if field.is_required():
            with pytest.raises(ValidationError, match="Field required"):
                read(thing, canonical({k: v for k, v in fields.items() if k != name}))


def test_a_field_too_many_is_refused_inside_as_well():
    fields = json.loads(record().canonical())
    for inner in ("unit", "member", "curve", "scale", "provenance", "cost"):
        with pytest.raises(ValidationError, match="Extra inputs"):
            Record.model_validate_json(
                canonical(fields | {inner: fields[inner] | {"colour": "red"}})
            )


def test_nothing_is_converted():
    fields = json.loads(record().canonical())
    for name, value in [("steps", "80"), ("steps", 80.0), ("score", "0.96875"), ("unit_id", 7)]:
        with pytest.raises(ValidationError, match=r"should be a valid"):
            Record.model_validate_json(canonical(fields | {name: value}))


TESTED = UNIT.model_copy(update={"budget": BUDGET.model_copy(update={"longer": (16,)})})
AT_16 = LongerTest(lag=16, score=1.0, loss=0.1)
GONE: dict[str, Any] = {"score": None, "test_loss": None}
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"unit_id": "0" * 16}, "its unit hashes to"),
    ({"steps": 120, "curve": Curve(step=[120], loss=[0.0], score=[1.0])}, "over the budget"),
    ({"steps": 100}, "the curve ends at step 80"),
    ({"steps_to_solve": 50}, "no validation at step 50"),
    ({"verdict": "diverged"}, "can't have the score"),
    ({"verdict": "not_solved", **GONE}, "can't have the score"),
    ({"test_loss": None}, "can't have the score"),
    ({"score": None}, "can't have the score"),
    ({"verdict": "not_solved"}, "can't be 'not_solved'"),
    ({"score": 0.5}, "can't be 'solved'"),
    ({"verdict": "failed", **GONE}, "a reason goes with"),
    ({"reason": "because"}, "a reason goes with"),
    ({"verdict": "splendid"}, "Input should be"),
    ({"score": float("nan")}, "finite number"),
    ({"steps": -1}, "greater than or equal to 0"),
    ({"schema_version": 2}, "Input should be 1"),
    ({"kind": "throughput"}, "Input should be 'accuracy'"),
    ({"parameters": -1}, "greater than or equal to 0"),
    ({"inner_parameters": 10**6}, "1000000 parameters beyond embedding and readout are more than"),
    ({"unit": TESTED, "unit_id": TESTED.id, "longer": (AT_16, AT_16)}, "tested twice at one lag"),
]


@pytest.mark.parametrize(("changes", "why"), IMPOSSIBLE, ids=[why for _, why in IMPOSSIBLE])
def test_an_impossible_record_is_refused(changes, why):
    record()  # what is changed is possible
    with pytest.raises(ValidationError, match=why):
        record(**changes)


def test_a_loss_is_solved_from_below():
    scale = record().scale.model_copy(update={"higher_is_better": False, "threshold": 3.0})
    assert record(scale=scale, score=2.9).verdict == "solved"
    with pytest.raises(ValidationError, match="can't be 'solved'"):
        record(scale=scale, score=3.1)
    assert record(scale=scale, score=3.1, verdict="not_solved").score == 3.1


def test_a_curve_that_grew_after_it_was_made_is_looked_at_again():
    curve = Curve(step=[], loss=[], score=[])
    for step in (20, 40, 60, 80):
        curve.step.append(step)
        curve.loss.append(0.5)
        curve.score.append(0.9)
    assert record(curve=curve).curve == curve
    curve.loss[0] = float("nan")
    with pytest.raises(ValidationError, match="finite number"):
        record(curve=curve)


@pytest.mark.parametrize(
    ("step", "loss"), [([1, 2], [0.1]), ([2, 1], [0.1, 0.1]), ([1, 1], [0.1, 0.1]), ([0], [0.1])]
)
def test_an_impossible_curve_is_refused(step, loss):
    with pytest.raises(ValidationError):
        Curve(step=step, loss=loss, score=loss)


LATER = {"margin": 0.5, "longer": (16,)}  # fields of a budget that may be left at nothing


@pytest.mark.parametrize("name", sorted(Budget.model_fields.keys() - LATER.keys()))
def test_a_budget_of_nothing_is_refused(name):
    with pytest.raises(ValidationError, match="greater than 0"):
        Budget(**(BUDGET.model_dump() | {name: 0}))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_the_generator_has_not_is_refused(seed):
    with pytest.raises(ValidationError):
        Member(seed=seed, learning_rate=0.1)


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "a b", "*", "å", ".hidden"])
def test_a_name_that_is_no_part_of_a_path_is_refused(name):
    for field in ("task", "model"):
        with pytest.raises(ValidationError, match="match pattern"):
            Unit(**(UNIT.model_dump() | {field: name}))


def test_tables_have_no_form_before_the_first():
    assert Manifest(**(MANIFEST.model_dump() | {"form": 7})).form == 7
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Manifest(**(MANIFEST.model_dump() | {"form": 0}))


OTHER: dict[str, Any] = {
    "task": "latch",
    "task_version": 2,
    "lag": 9,
    "task_options": {"relevant": 3},
    "model": "gru",
    "model_version": 2,
    "parameters": 1001,
    "layers": 2,
    "model_options": {"reset": "before"},
    "precision": "float64",
    "counting": "inner",
    "embedding": 16,
    "budget": None,
}


def test_the_name_of_a_unit_changes_with_every_field():
    assert set(OTHER) == set(Unit.model_fields)  # a new field has to be added here, too
    fields = UNIT.model_dump()
    units = [Unit(**(fields | {name: value})) for name, value in OTHER.items() if value is not None]
    units += [
        Unit(**(fields | {"budget": fields["budget"] | {name: value}}))
        for name, value in (dict.fromkeys(Budget.model_fields, 7) | LATER).items()
    ]
    assert len({unit.id for unit in [UNIT, *units]}) == 1 + len(units)
    assert Unit(**fields).id == UNIT.id
    assert hash(Unit(**fields)) == hash(UNIT)


def test_the_name_of_a_unit_that_was_measured_stays():
    assert UNIT.id == "45528857ea554048"


def test_names_do_not_depend_on_the_order_of_options():
    units = [
        Unit(**(UNIT.model_dump() | {"task_options": dict(pairs)}))
        for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)])
    ]
    assert units[0].id == units[1].id


def test_hashes_stay_what_they_were():
    # Published records carry these names: they may change with the schema only.
    assert digest({"a": [1, 2.5, None]}) == "3661dd098941e1e4"
    assert UNIT.id == "45528857ea554048"


def test_the_key_is_the_unit_the_seed_and_the_learning_rate():
    keys = [record().key, record(seed=1).key, record(rate=1e-3).key]
    keys += [record(unit=UNIT.model_copy(update={"lag": 9})).key]
    assert len(set(keys)) == 4


def test_only_the_cost_is_left_out_of_what_must_be_the_same_again():
    def again(**changes: Any) -> str:
        return record(**changes).serialise_reproducible()

    cost = record().cost.model_copy(
        update={"seconds": 99.0, "peak_memory": 1, "finished": "2026-01-02T00:00:00+00:00"}
    )
    assert again(cost=cost) == again()
    fields = json.loads(again())
    only_where_it_is_so = {"regrouped", "inner_parameters", "state_size", "longer"}
    assert set(fields) == set(Record.model_fields) - {"cost"} - only_where_it_is_so
    assert again(score=0.99) != again()
    assert again(provenance=record().provenance.model_copy(update={"commit": "1" * 40})) != again()


def test_a_throughput_is_named_by_what_was_timed():
    assert throughput(seconds_per_token=2e-6, rounds=3, commit="1" * 40).key == throughput().key
    for name, value in [
        ("members", 4),
        ("system", "0" * 16),
        ("phase", "streaming"),
        ("scan", "reference"),
        ("hidden", 14),
    ]:
        assert throughput(**{name: value}).key != throughput().key
    assert throughput().system_id == record().system_id == SYSTEM.id


def test_the_floor_is_the_higher_of_two():
    floor = throughput().floor
    assert floor.seconds == 2**-6  # of the operations
    slower = floor.model_copy(update={"bytes_per_second": 2.0**25})
    assert slower.seconds == 2**-5  # of the bytes
    row = throughput(floor=slower, members=2, batch=2, length=2)
    assert row.floor_per_token == 2**-8
    assert throughput(floor=None).floor_per_token is None


def test_a_probe_is_of_one_instrument_member_and_moment():
    others = [
        probe(1),
        probe(moment="start"),
        probe(instrument="gates"),
        probe(unit=UNIT.model_copy(update={"lag": 9})),
    ]
    assert len({p.key for p in (probe(), *others)}) == 5
    assert probe(series={}, dirty=True).key == probe().key
    with pytest.raises(ValidationError, match="but its unit hashes to"):
        probe(unit_id="0" * 16)


def test_the_name_of_a_system_is_the_hash_of_its_description():
    assert System(**(SYSTEM.model_dump() | {"cores": 3})).id != SYSTEM.id
    assert System.model_validate_json(SYSTEM.canonical()).id == SYSTEM.id
