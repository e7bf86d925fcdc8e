"""T6: the goals for speed."""

import made
from made import comparison

from seqbench.report.page import Page
from seqbench.report.results import Results
from seqbench.report.table import Table

MISSING = comparison(
    goal="gpu", what="LSTM", measured=None, interval=None, rounds=0, met=None, ours=None, theirs=None,
    note="Not yet measured on a GPU", device="cuda",
)  # fmt: skip


def table(store, *rows):
    store.add_comparisons("mine", rows)
    return Results.read(store).table("T6")


def test_a_goal_by_hand(make_store):
    (row,) = table(make_store(), comparison()).values
    assert (row["goal"], row["aim"], row["met"]) == ("cells", ">= 1.7", "yes")
    assert (row["measured"], row["low"], row["high"]) == (2.5, 2.25, 2.75)
    assert (row["memory"], row["their_memory"]) == (2.0, 1.0)
    assert (row["milliseconds"], row["their_milliseconds"]) == (2.0, 5.0)


def test_what_was_measured_once_has_no_interval(make_store):
    (row,) = table(make_store(), comparison(rounds=1, met=False)).values
    assert row["low"] is row["high"] is None
    assert row["met"] == "no"


def test_what_was_not_measured_stays_open_until_it_is(make_store):
    store = make_store()
    before = table(store, comparison(), MISSING)
    assert [row["measured"] for row in before.values] == [2.5, None]
    assert [row["met"] for row in before.values] == ["yes", "Not yet measured on a GPU"]
    assert "Not yet measured on a GPU" in before.html()
    after = table(store, comparison(), MISSING, comparison(goal="gpu", what="LSTM, E = 32"))
    assert [row["what"] for row in after.values] == ["GRU: auto / nn.GRU", "LSTM, E = 32"]


def test_what_failed_stays_beside_what_was_measured(make_store):
    failed = MISSING.model_copy(
        update={"goal": "cells", "what": "LSTM", "note": "not finite", "met": False}
    )
    found = table(make_store(), comparison(), failed)
    assert [(row["what"], row["met"], row["note"]) for row in found.values] == [
        ("GRU: auto / nn.GRU", "yes", ""),
        ("LSTM", "no", "not finite"),
    ]


def test_without_any_there_is_no_table(make_store):
    store = make_store()
    assert not Results.read(store).table("T6")
    assert "peers.py" in Page(store.path).goals().markdown
    store.add_comparisons("mine", [made.comparison()])
    assert isinstance(Page(store.path).goals(), Table)
