r"""Topics: read a customer's question to a bank, character by character, then classify it into 77 intents.

The answer is due after the last character; the classes are the 77 categories in alphabetical order. ::

    x   ▁ ▁ h o w _ d o _ i _ l o c a t e _ m y _ c a r d ?      ->    y = 11  (card_arrival)

The input is described in ``seqbench.tasks.sentences``. The 3,080 test questions are the official ones, 40 per class: a
constant answer is right in 40/3080 = 1/77 of them, the *chance*. Of the 10,003 training questions, a fixed random
sample of 1,000 is for validation. There the classes have different frequencies, from 35 to 187. The *threshold* is the
accuracy of the bag-of-words baseline, and is computed from the questions.

Source: Casanueva, Temčinas, Gerz, Henderson and Vulić (2020), Efficient intent detection with dual sentence encoders:
the data set Banking77.
"""

import csv
import json
from dataclasses import dataclass
from functools import cache

from seqbench.tasks.finite import shuffle
from seqbench.tasks.sentences import Classification, Sentences, normalise
from seqbench.tasks.sources import locate

VALIDATION = 1_000


@cache
def sentences(split: str) -> Sentences:
    """Return the questions of a split with the numbers of their categories."""
    categories = json.loads(locate("banking77", "categories.json").read_text("utf-8"))
    categories.sort(key=str.lower)
    number = {category: n for n, category in enumerate(categories)}
    part = "test" if split == "test" else "train"
    with locate("banking77", f"{part}.csv").open(encoding="utf-8", newline="") as file:
        every = [(normalise(row["text"]), number[row["category"]]) for row in csv.DictReader(file)]
    order = shuffle(f"banking77 {part}", len(every)).tolist()
    piece = {"train": slice(VALIDATION, None), "validation": slice(VALIDATION), "test": slice(None)}
    return tuple(every[n] for n in order[piece[split]])


@dataclass(frozen=True)
class Topics(Classification):
    """The intent of a question, after its last ``lag`` characters."""

    name = "topics"
    classes = 77
    sentences = staticmethod(sentences)
