r"""Date translation: read a date in one of several formats and write it in ISO 8601.

A date, written in one of ``lag`` formats, is read character by character; a colon follows, and at the next ten steps
the ten characters of year, month and day are due. The inputs at these steps are blanks, not the previous answers, so
the whole date has to be remembered, as in copying. Dates are padded on the left with blanks to 29 steps. ::

    symbol   _ _ _ t h e _ 7 t h _ o f _ m a r c h _ 1 9 9 9 : _ _ _ _ _ _ _ _ _ _
    y                                                          1 9 9 9 - 0 3 - 0 7

The formats are numbered; the first ``lag`` of them are used, each equally often::

    7 march 1999    march 7, 1999     07.03.1999       sun 7 mar 1999             1999, march 7    march the 7th, 1999
    7 mar 1999      mar 7, 1999       03/07/1999       sunday, march 7, 1999      7.iii.1999       the 7th of march 1999

With points the day comes first, with slashes the month, so that every date is unambiguous. The dates are the 73,049
days of 1900 to 2099, weekdays included. A fixed permutation splits them into 58,439 for training, 7,305 for validation
and 7,305 for the test; sequences are drawn uniformly from their part, so no date of the test occurs in training.

The score is the share of dates with all ten characters right. A constant date of the test part is right in 1/7305 of
its dates, the *chance*. All answers enter the loss.

Source: made for this benchmark, after the bottleneck between encoder and decoder described by Bahdanau, Cho and Bengio
(2015).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

WAYS = (
    "{day} {month} {year}", "{day} {mon} {year}", "{month} {day}, {year}", "{mon} {day}, {year}",
    "{dd}.{mm}.{year}", "{mm}/{dd}/{year}", "{wkd} {day} {mon} {year}", "{weekday}, {month} {day}, {year}",
    "{year}, {month} {day}", "{day}.{roman}.{year}", "{month} the {nth}, {year}", "the {nth} of {month} {year}",
)  # fmt: skip
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
ENDINGS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
COLUMNS = ("none", "day", "month", "weekday", "year")  # parts of a date
# For each field of WAYS: the part of the date that it shows, and the text of each value.
FIELDS: dict[str, tuple[str, Sequence[str]]] = {
    "day": ("day", [str(k) for k in range(1, 32)]),
    "dd": ("day", [f"{k:02}" for k in range(1, 32)]),
    "nth": ("day", [f"{k}{ENDINGS.get(k, 'th')}" for k in range(1, 32)]),
    "month": ("month", MONTHS),
    "mon": ("month", [name[:3] for name in MONTHS]),
    "mm": ("month", [f"{k:02}" for k in range(1, 13)]),
    "roman": ("month", ROMANS),
    "weekday": ("weekday", WEEKDAYS),
    "wkd": ("weekday", [name[:3] for name in WEEKDAYS]),
    "year": ("year", [str(k) for k in range(1900, 2100)]),
}
DATES = [date(1900, 1, 1) + timedelta(days) for days in range(73_049)]
PARTS = {"train": (0, 58_439), "validation": (58_439, 65_744), "test": (65_744, 73_049)}
ALPHABET = " :,./0123456789abcdefghijlmnoprstuvwxy"
ANSWERS = "0123456789-"
BLANK, COLON = 0, 1
LONGEST = len("wednesday, september 30, 1999")
LENGTH = len("yyyy-mm-dd")


@dataclass(frozen=True)
class DateTranslation(Task):
    """Dates to ISO 8601, written in one of ``lag`` ways."""

    name = "date-translation"
    knob = "formats"
    knob_unit = "formats"
    lags = range(1, len(WAYS) + 1)
    inputs = len(ALPHABET)
    outputs = len(ANSWERS)
    measure = "share of dates with every character right"
    chance = 1 / 7305
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, 40)`` of characters, y ``(N, 10)``."""
        parts, iso = make_calendar(keys.seed.device)
        day = keys.integers("date", *PARTS[keys.split])  # (N,)
        way = keys.integers("way", 0, self.lag)
        date = write_dates(parts[day], way)
        blank = date.new_full((len(keys), LENGTH), BLANK)
        colon = date.new_full((len(keys), 1), COLON)
        return Batch.all_due(torch.cat([date, colon, blank], dim=1), iso[day])

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of dates without a wrong character."""
        return self.right(output, y).all(dim=2).float().mean(dim=1)


def write_dates(parts: Int[Tensor, "N 5"], way: Int[Tensor, " N"]) -> Int[Tensor, "N L"]:
    """Return the characters of dates in their formats, aligned to the right."""
    pieces, row, part = make_phrases(way.device)
    piece = row[way] + parts.gather(1, part[way])  # (N, pieces of a way)
    letters = pieces[piece].flatten(1)  # padded with -1, since pieces differ in length
    gaps_first = (letters >= 0).long().argsort(dim=1, stable=True)
    return letters.gather(1, gaps_first)[:, -LONGEST:].clamp(min=BLANK)


@cache
def make_calendar(
    device: torch.device,
) -> tuple[Int[Tensor, "days 5"], Int[Tensor, "days 10"]]:
    """Return the parts of every day as ``COLUMNS`` has them, and its ISO form, in the order that PARTS splits."""
    order = Keys.span("date-translation", 1, "order", 0, 0, 1).permutation("dates", len(DATES))[0]
    parts = [(0, d.day - 1, d.month - 1, d.weekday(), d.year - DATES[0].year) for d in DATES]
    iso = [[ANSWERS.index(a) for a in d.isoformat()] for d in DATES]
    return torch.tensor(parts)[order].to(device), torch.tensor(iso)[order].to(device)


@cache
def make_phrases(
    device: torch.device,
) -> tuple[Int[Tensor, "pieces W"], Int[Tensor, "ways S"], Int[Tensor, "ways S"]]:
    """Return all pieces of text, and for every format the first piece and the part of the date of each of its slots."""
    pieces = [""]
    first = {}
    for name, (_, values) in FIELDS.items():
        first[name] = len(pieces)
        pieces += values
    ways = []
    for way in WAYS:
        slots = []
        for words, field in re.findall(r"([^{]*){(\w+)}", way):
            slots.append((len(pieces), COLUMNS.index("none")))
            pieces.append(words)
            slots.append((first[field], COLUMNS.index(FIELDS[field][0])))
        ways.append(torch.tensor(slots))
    letters = [torch.tensor([ALPHABET.index(a) for a in piece]).long() for piece in pieces]
    table = pad_sequence(letters, batch_first=True, padding_value=-1)
    where = pad_sequence(ways, batch_first=True)  # (ways, S, 2); the first piece is empty
    return table.to(device), where[..., 0].to(device), where[..., 1].to(device)
