r"""Sentiment: read a sentence of a review, character by character, then classify it as positive or negative.

Sentences from reviews of goods, films and restaurants, a thousand of each, half of them positive and half negative. The
answer is due after the last character. ::

    x   ▁ ▁ ▁ c r u s t _ i s _ n o t _ g o o d .      ->    y = 0

The input is described in ``seqbench.tasks.sentences``. Duplicate sentences are removed, keeping the first label: 2,979
remain. There is no official split: in a fixed random order, the first 70 % are for training (drawn with replacement),
the next 10 % for validation and the last 20 % for the test. *Chance* is the share of the more frequent class in the
test, the *threshold* the accuracy of the bag-of-words baseline; both are computed from the data.

Source: Kotzias, Denil, de Freitas and Smyth (2015), From group to individual labels using deep features.
"""

from dataclasses import dataclass
from functools import cache

from seqbench.tasks.finite import shuffle
from seqbench.tasks.sentences import Classification, Sentences, normalise
from seqbench.tasks.sources import locate

FILES = ("amazon_cells", "imdb", "yelp")
PARTS = {"train": (0, 70), "validation": (70, 80), "test": (80, 100)}  # in hundredths


@cache
def sentences(split: str) -> Sentences:
    """Return the sentences of a split with their labels, 1 for a positive one."""
    found: dict[str, int] = {}
    for file in FILES:
        lines = locate("uci_sentiment", f"{file}_labelled.txt").read_text("utf-8").split("\n")
        for line in filter(
            None, lines
        ):  # a form feed or the like in a sentence does not end a line
            sentence, _, label = line.rpartition("\t")
            found.setdefault(normalise(sentence), int(label))
    every = tuple(found.items())
    order = shuffle("sentiment", len(every)).tolist()
    start, stop = (len(every) * part // 100 for part in PARTS[split])
    return tuple(every[n] for n in order[start:stop])


@dataclass(frozen=True)
class Sentiment(Classification):
    """Positive or negative, after the last ``lag`` characters of a sentence."""

    name = "sentiment"
    classes = 2
    sentences = staticmethod(sentences)
