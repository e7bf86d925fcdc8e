"""The sequences: every answer recomputed by a slow plain reading of the rules."""

import numpy as np
import pytest

from seqbench.ledger.data import Adding, EmbeddedReber, TemporalOrder, make_generator
from seqbench.ledger.rows import ONLINE

REBER = {  # node: what may follow, and where it leads
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
    6: {"E": 7},
}
LETTERS = "BTPSXVE"


@pytest.mark.parametrize("relevant", [2, 3])
def test_temporal_order(relevant):
    task = TemporalOrder(relevant)
    s = task.train([0, 1], 0, 200)
    lengths = s.length.flatten()
    assert (lengths.min(), lengths.max()) == (100, 110)
    places = []
    for x, y, due in zip(*(part.reshape(-1, *part.shape[2:]) for part in s[:3]), strict=True):
        T = due.sum() and due.argmax() + 1
        symbols = x[:T].argmax(axis=1)
        assert due.sum() == 1
        assert (symbols[0], symbols[-1]) == (4, 5)
        where = np.flatnonzero(symbols >= 6)
        places.append(where)
        answer = int("".join(str(symbols[t] - 6) for t in where), 2)
        assert np.array_equal(y[T - 1], np.eye(2**relevant)[answer])
        assert set(symbols[1:-1]) <= {0, 1, 2, 3, 6, 7}
    places = np.array(places)
    wanted = [(10, 20), (50, 60)] if relevant == 2 else [(10, 20), (33, 43), (66, 76)]
    assert list(zip(places.min(axis=0), places.max(axis=0), strict=True)) == wanted
    assert (
        len({tuple(y[d].argmax(axis=1)) for y, d in zip(s.y[0], s.due[0], strict=True)})
        == 2**relevant
    )


def test_adding():
    task = Adding(100)
    s = task.train([0, 1], 0, 150)
    assert (s.length.min(), s.length.max()) == (100, 110)
    firsts = 0
    for x, y, due in zip(*(part.reshape(-1, *part.shape[2:]) for part in s[:3]), strict=True):
        T = due.argmax() + 1
        value, mark = x[:T].T
        marked = np.flatnonzero(mark == 1)
        assert len(marked) == 2
        assert marked[0] < 10
        assert marked[1] < 49
        assert mark[-1] == -1
        assert mark[0] == (1 if marked[0] == 0 else -1)
        assert (mark == 0).sum() == T - (3 if marked[0] == 0 else 4)
        assert (value[0] == 0) == (marked[0] == 0)
        firsts += marked[0] == 0
        assert y[T - 1, 0] == pytest.approx(0.5 + value[marked].sum() / 4, abs=1e-6)
    assert firsts > 5


def test_embedded_reber():
    s = EmbeddedReber().train([0, 1], 0, 150)
    for x, y, due, legal in zip(*(part.reshape(-1, *part.shape[2:]) for part in s), strict=True):
        L = int(due.sum()) + 1
        word = "".join(LETTERS[k] for k in x[: L - 1].argmax(axis=1)) + LETTERS[y[L - 2].argmax()]
        assert np.array_equal(y[: L - 2], x[1 : L - 1])
        outer, inner = word[1], word[2:-2]
        follow = [{"T", "P"}, {"B"}]
        node = 1
        assert inner[0] == "B"
        for letter in inner[1:]:
            follow.append(set(REBER[node]))
            node = REBER[node][letter]
        assert node == 7
        follow += [{outer}, {"E"}]
        assert (word[0], word[-2:]) == ("B", outer + "E")
        found = [{LETTERS[k] for k in np.flatnonzero(row)} for row in legal[: L - 1]]
        assert found == follow


def test_the_strings_shown_are_those_of_the_training_set_and_the_test_has_others():
    task = EmbeddedReber(50)
    shown = {x.tobytes() for x in task.train([3], 0, 1000).x[0]}
    test = task.test([3]).x[0]
    assert {x.tobytes() for x in test[:50]} == shown
    assert len(test) == 50 + task.tests
    assert not {x.tobytes() for x in test[50:]} & shown


@pytest.mark.parametrize("row", ONLINE)
def test_a_sequence_is_the_same_whoever_is_beside_it(row):
    data = make_generator(ONLINE[row].source)
    some = data.train([5, 7, 9], 0, 6)
    for part, alone in zip(some, data.train([7], 4, 6), strict=True):
        assert np.array_equal(part[1, 4:], alone[0])
    assert not np.array_equal(some.x[0], some.x[2])


def test_right_is_what_the_papers_count():
    s = Adding(100).train([0], 0, 4)
    assert Adding(100).right(s.y, s).all()
    assert Adding(100).right(s.y + 0.039, s).all()
    assert not Adding(100).right(s.y + 0.041, s).any()
    reber = EmbeddedReber()
    s = reber.train([0], 0, 4)
    assert reber.right(np.where(s.legal, 0.2, 0.1), s).all()
    beaten = np.where(s.legal, 0.2, 0.1)
    beaten[0, 1, 3] = 0.2  # at one step of one string an illegal symbol is as active
    assert reber.right(beaten, s).tolist() == [[True, False, True, True]]


def test_what_is_cut_to_the_longest_is_the_same():
    s = Adding(100).train([0, 1], 0, 8)
    some = s.select((np.arange(2), slice(3, 4)))
    assert some.x.shape[2] == s.length[:, 3].max()
    assert np.array_equal(some.y[:, 0].sum(axis=1), s.y[:, 3].sum(axis=1))
