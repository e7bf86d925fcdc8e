"""A claim, and the verdict on it: computed from the measurements by a rule in code.

A rule reads the evidence and returns findings. Each finding votes *for* the claim or *against* it, is *open* where the
intervals are too wide to decide, or is *aside*: reported without a vote. All claims weigh their findings in one way:

===============  =========================================================
verdict          if
===============  =========================================================
supported        there is a finding for it, none against it, none open
contradicted     there is one against it, none for it, none open
depends          some vote for it and some against it, whatever is open
not settled      otherwise; and always where a needed measurement is missing
===============  =========================================================

The measurements that a claim needs are listed as data, its *needs*, so that a plan can be checked against them. Those
listed under *also* are optional; the verdict says where they are missing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from typing import TYPE_CHECKING, Literal, NamedTuple

from seqbench.report.claims.evidence import Evidence, Need, join_words

if TYPE_CHECKING:  # listing claims must not import pandas
    from seqbench.report.results import Results

Vote = Literal["for", "against", "open", "aside"]
ClaimVerdict = Literal["supported", "contradicted", "depends", "not settled"]


class Finding(NamedTuple):
    """What was examined, its vote on the claim, and what was observed."""

    where: str
    vote: Vote
    observed: str


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on a claim, with its reasons.

    Attributes
    ----------
    because
        Where the claim holds, where it does not, and where it is undecided, in a sentence.
    evidence
        What was observed, a line for each finding.
    missing
        Needed measurements that are missing.
    """

    verdict: ClaimVerdict
    because: str
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A claim from the literature or from teaching, and how it is decided.

    Attributes
    ----------
    sentence
        The claim as people write it.
    experiment
        The deciding experiment, in words.
    needs
        The measurements that it needs.
    rule
        Returns the findings once all needs are met; its docstring is the rule in words.
    also
        Optional measurements.
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
    """Return the needed measurements that are missing, a line each."""
    return tuple(filter(None, (need.find_missing(evidence) for need in needs)))


def weigh(findings: Sequence[Finding], missing: tuple[str, ...] = ()) -> ClaimResult:
    """Return the verdict on weighing the findings."""
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
