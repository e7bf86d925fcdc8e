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

from seqbench.report.claims.evidence import Evidence, Need, join_words

if TYPE_CHECKING:  # to list claims needs no pandas
    from seqbench.report.results import Results

Vote = Literal["for", "against", "open", "aside"]
ClaimVerdict = Literal["supported", "contradicted", "depends", "not settled"]


class Finding(NamedTuple):
    """Where something was looked for, what it says of the claim, and what was seen there."""

    where: str
    vote: Vote
    observed: str


@dataclass(frozen=True)
class ClaimResult:
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

    verdict: ClaimVerdict
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

    def judge(self, results: "Results") -> ClaimResult:
        """Return the verdict that the results give."""
        evidence = Evidence(results)
        missing = list_missing(self.needs, evidence)
        if missing:
            return ClaimResult(
                "not settled",
                f"{len(missing)} of {len(self.needs)} things that it rests on are missing",
                missing=missing,
            )
        return weigh([*self.rule(evidence)], list_missing(self.also, evidence))


def list_missing(needs: Iterable[Need], evidence: Evidence) -> tuple[str, ...]:
    """Return what is missing of what a claim needs."""
    return tuple(filter(None, (need.find_missing(evidence) for need in needs)))


def weigh(findings: Sequence[Finding], missing: tuple[str, ...] = ()) -> ClaimResult:
    """Return the verdict that findings add up to."""
    places: dict[Vote, list[str]] = {"for": [], "against": [], "open": [], "aside": []}
    for finding in findings:
        places[finding.vote].append(finding.where)
    verdict: ClaimVerdict = "not settled"
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
    because = "; ".join(
        f"{words[says]} {join_words(where)}" for says, where in places.items() if where
    )
    evidence = tuple(f"{f.where}: {f.observed}" for f in findings)
    return ClaimResult(verdict, because, evidence, missing)
