"""A claim, and the verdict on it: computed from what was measured, by a rule in code.

A rule reads the evidence and returns findings. Each speaks *for* the claim or *against* it, leaves it *open* where the
intervals decide nothing, or stands *aside*: worth saying, but no vote. They are weighed alike for all claims:

===============  =========================================================
verdict          if
===============  =========================================================
supported        there is a finding for it, none against it, none open
contradicted     there is one against it, none for it, none open
depends          some speak for it and some against it, whatever is open
not settled      else; and always where something it rests on is missing
===============  =========================================================

What a claim rests on, its *needs*, is data, so that a plan can be held against it. A verdict may do without what stands
under *also*, and says that it is missing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from typing import TYPE_CHECKING, Literal, NamedTuple

from seqbench.report.claims.evidence import Evidence, Need, listed

if TYPE_CHECKING:  # to list claims needs no pandas
    from seqbench.report.frame import Results

Says = Literal["for", "against", "open", "aside"]
Settled = Literal["supported", "contradicted", "depends", "not settled"]


class Finding(NamedTuple):
    """Where something was looked for, what it says of the claim, and what was seen there."""

    where: str
    says: Says
    seen: str


@dataclass(frozen=True)
class Verdict:
    """What becomes of a claim.

    Attributes
    ----------
    because
        Where it holds, where it does not, and where nothing is decided, in a sentence.
    evidence
        What was seen, a line for each finding.
    missing
        What it rests on and nobody has measured.
    """

    verdict: Settled
    because: str
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A sentence that people write, and how it is decided.

    Attributes
    ----------
    sentence
        The claim as people write it.
    experiment
        What decides it, in words.
    needs
        What it rests on.
    rule
        Returns the findings where all of it is there; its docstring is the rule in words.
    also
        What else it looks at where that was measured.
    """

    id: str
    sentence: str
    experiment: str
    needs: tuple[Need, ...]
    rule: Callable[[Evidence], Iterable[Finding]]
    also: tuple[Need, ...] = ()

    @property
    def rule_in_words(self) -> str:
        """Return the docstring of the rule, on one line."""
        return " ".join((getdoc(self.rule) or "").split())

    def judge(self, results: "Results") -> Verdict:
        """Return the verdict that the results give."""
        seen = Evidence(results)
        missing = lacking(self.needs, seen)
        if missing:
            return Verdict(
                "not settled",
                f"{len(missing)} of {len(self.needs)} things that it rests on are missing",
                missing=missing,
            )
        return weigh([*self.rule(seen)], lacking(self.also, seen))


def lacking(needs: Iterable[Need], seen: Evidence) -> tuple[str, ...]:
    """Return what is missing of what a claim needs."""
    return tuple(filter(None, (need.lacking(seen) for need in needs)))


def weigh(findings: Sequence[Finding], missing: tuple[str, ...] = ()) -> Verdict:
    """Return the verdict that findings add up to."""
    places: dict[Says, list[str]] = {"for": [], "against": [], "open": [], "aside": []}
    for finding in findings:
        places[finding.says].append(finding.where)
    verdict: Settled = "not settled"
    if places["for"] and places["against"]:
        verdict = "depends"
    elif places["for"] and not places["open"]:
        verdict = "supported"
    elif places["against"] and not places["open"]:
        verdict = "contradicted"
    words = {
        "for": "it holds for",
        "against": "it does not hold for",
        "open": "not decided for",
        "aside": "without a say:",
    }
    because = "; ".join(f"{words[says]} {listed(where)}" for says, where in places.items() if where)
    evidence = tuple(f"{f.where}: {f.seen}" for f in findings)
    return Verdict(verdict, because, evidence, missing)
