"""What a row comes to, on made-up trials for each verdict."""

from dataclasses import replace

import pytest

from seqbench.errors import BadInput
from seqbench.ledger.rows import (
    LEDGER,
    ONLINE,
    Blocks,
    ModelPair,
    ModelScore,
    Online,
    Source,
    find_online,
)
from seqbench.report import compare, replication
from seqbench.report.replication import TrialLengths

ROW = Online(
    "made", "a paper", "an experiment", "100 %, 1,000 sequences", "P", 1.0, 1_000,
    Blocks(2, 1, 1, 2), 0.1, 0.5, Source("adding", (100,)), streak=10, budget=4_000,
)  # fmt: skip
SCORE = ModelScore("made", "a paper", "e", "f", "P", "adding", 10, "lstm", solved=True, of="run")
PAIR = ModelPair("made", "a paper", "e", "f", "S", "adding", 10, "a", "b", gap=True)


@pytest.mark.parametrize(
    ("succeeded", "given_up", "verdict"),
    [
        ([], 0, "not run"),
        ([900] * 9, 0, "not settled"),  # ten are planned
        ([900] * 10, 0, "agrees"),
        ([500] * 10, 0, "agrees"),
        ([499] * 10, 0, "differs"),
        ([2_000] * 10, 0, "agrees"),
        ([2_001] * 10, 0, "differs"),
        ([900] * 9, 1, "not settled"),  # 9/10 is no less than 10/10, and not as good
        ([900] * 2, 8, "differs"),
    ],
)
def test_a_rate_and_a_number_of_sequences(succeeded, given_up, verdict):
    assert replication.judge_trials(ROW, TrialLengths(succeeded, [4_000] * given_up)) == verdict


@pytest.mark.parametrize(
    ("rate", "of", "k", "verdict"),
    [
        (0.18, 100, 0, "not settled"),
        (0.18, 100, 4, "not settled"),
        (0.18, 100, 5, "differs"),
        (0.0, 100, 0, "agrees"),
        (0.0, 100, 2, "differs"),
        (0.0, None, 0, "agrees"),
        (0.0, None, 3, "not settled"),  # 0/10, as many as here
        (0.0, None, 5, "differs"),
    ],
)
def test_a_rate_alone(rate, of, k, verdict):
    row = replace(ROW, rate=rate, of=of, sequences=None)
    assert replication.judge_trials(row, TrialLengths([10] * k, [4_000] * (10 - k))) == verdict


def test_trials_that_were_given_up_count_as_longer():
    row = replace(ROW, rate=None)
    assert replication.judge_trials(row, TrialLengths([900] * 6, [4_000] * 4)) == "agrees"
    assert replication.judge_trials(row, TrialLengths([900] * 4, [4_000] * 6)) == "differs"
    short = TrialLengths([900] * 4, [1_500] * 6)  # their median may still be within a factor of two
    assert replication.judge_trials(row, short) == "not settled"


@pytest.mark.parametrize(
    ("solved", "k", "runs", "verdict"),
    [
        (True, 0, 0, "not run"),
        (True, 10, 10, "agrees"),
        (True, 0, 10, "differs"),
        (True, 5, 10, "not settled"),
        (False, 0, 10, "agrees"),
        (False, 9, 10, "differs"),
        (False, 1, 3, "not settled"),
    ],
)
def test_one_published_run(solved, k, runs, verdict):
    assert replication.judge_score(replace(SCORE, solved=solved), k, runs) == verdict


@pytest.mark.parametrize(
    ("solved", "k", "verdict"),
    [(True, 1, "agrees"), (True, 0, "differs"), (False, 0, "agrees"), (False, 1, "differs")],
)
def test_the_best_of_several_seeds(solved, k, verdict):
    row = replace(SCORE, solved=solved, of="best")
    assert replication.judge_score(row, k, 10) == verdict
    assert replication.judge_score(row, k, 9) == "not settled"


@pytest.mark.parametrize(
    ("gap", "a", "b", "runs", "verdict"),
    [
        (True, 0, 0, 0, "not run"),
        (True, 10, 0, 10, "agrees"),
        (True, 0, 10, 10, "differs"),
        (True, 20, 20, 20, "differs"),
        (True, 10, 10, 10, "differs"),
        (True, 6, 4, 10, "not settled"),
        (True, 3, 0, 3, "not settled"),
        (False, 10, 10, 10, "agrees"),
        (False, 20, 20, 20, "agrees"),
        (False, 10, 0, 10, "differs"),
        (False, 5, 5, 10, "not settled"),
    ],
)
def test_one_model_beside_another(gap, a, b, runs, verdict):
    pair = compare.Pair(b, runs, a, runs)  # the other model comes first
    assert replication.judge_pair(replace(PAIR, gap=gap), pair) == verdict


def test_every_row_has_an_id_of_its_own_and_no_unknown_figure():
    ids = [row.id for row in LEDGER]
    assert len(set(ids)) == len(ids)
    for row in LEDGER:
        assert row.mark in ("P", "S")
        assert row.published


def test_a_protocol_is_named_by_all_that_a_trial_depends_on():
    protocols = [row.protocol for row in ONLINE.values()]
    assert len(set(protocols)) == len(protocols)
    assert replace(ROW, learning_rate=0.4).protocol != ROW.protocol
    assert replace(ROW, budget=4_001).protocol != ROW.protocol
    assert replace(ROW, published="other", rate=0.5, deviations=("x",)).protocol == ROW.protocol


def test_an_unknown_experiment_is_named():
    with pytest.raises(BadInput, match=r"experiment 'hs97-rebr'; did you mean 'hs97-reber'\?"):
        find_online("hs97-rebr")
