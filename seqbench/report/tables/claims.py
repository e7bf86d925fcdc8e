"""T14: the claims, each with its verdict."""

from collections.abc import Iterable, Iterator

from seqbench.errors import unknown
from seqbench.records.facts import ClaimWords
from seqbench.report.claims import CLAIMS
from seqbench.report.claims.claim import Claim, ClaimResult
from seqbench.report.claims.evidence import FirstStep, Need, StepTimes, TableRow, join_words
from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row

COLUMNS = (
    Column("claim", "Claim", "id of the claim", css="label", key=True),
    Column("sentence", "As people write it", "the claim", css="label prose"),
    Column("verdict", "Verdict", "supported, contradicted, depends or not settled", css="label"),
    Column("because", "Because", "where it holds, and where it does not", css="label prose"),
    Column(
        "missing",
        "Missing",
        "what it rests on and was not measured, the first of it",
        css="label prose",
    ),
    Column("all_missing", "All that is missing", "the same, to the last thing", files_only=True),
    Column("rests_on", "Rests on", "what was measured for it", files_only=True),
    Column("experiment", "Experiment", "what decides it", files_only=True),
    Column("rule", "Rule", "how the verdict is computed", files_only=True),
    Column("evidence", "Evidence", "what was seen", files_only=True),
)
NOTES = (
    "A verdict is computed by a rule that knows the records only; the files of the table have it in words. "
    "Supported: all that was found speaks for the claim; contradicted: all of it against; depends: some of each; not"
    " settled: too little was measured, or the intervals decide nothing.",
)
MOST_MISSING = 6  # missing measurements that are listed; the rest is counted


def claims(results: Results) -> Content:
    """Return T14: every claim, with its verdict on these results."""
    rows = [make_claim_row(*each) for each in judge_claims(results)]
    return Content("Claims, and what the results say of them", COLUMNS, rows, NOTES)


def judge_claims(results: Results) -> Iterator[tuple[ClaimWords, Claim, ClaimResult]]:
    """Yield every claim of the folder: its published words, the claim with its rule, and the verdict."""
    for words in results.facts.claims:
        if words.id not in CLAIMS:
            raise unknown("claim", words.id, CLAIMS, "facts.json")
        claim = CLAIMS[words.id]
        yield words, claim, claim.judge(results)


def make_claim_row(words: ClaimWords, claim: Claim, found: ClaimResult) -> Row:
    """Return a row of T14."""
    return {
        "claim": words.id,
        "sentence": words.sentence,
        "verdict": found.verdict,
        "because": found.because,
        "missing": list_first(found.missing) or None,
        "all_missing": "; ".join(found.missing) or None,
        "rests_on": "; ".join(list_needs((*claim.needs, *claim.also))),
        "experiment": words.experiment,
        "rule": words.rule,
        "evidence": "; ".join(found.evidence) or None,
    }


def list_first(missing: tuple[str, ...]) -> str:
    """Return the first missing measurements, and how many more there are."""
    more = len(missing) - MOST_MISSING
    return "; ".join((*missing[:MOST_MISSING], *([f"and {more} more"] if more > 0 else [])))


def list_needs(needs: Iterable[Need]) -> Iterator[str]:
    """Yield the needed measurements, by kind and task."""
    groups: dict[tuple[str, str], list[TableRow]] = {}
    plain: dict[str, list[str]] = {}
    for need in needs:
        if isinstance(need, StepTimes | FirstStep):
            plain.setdefault(need.kind, []).append(str(need))
        else:
            groups.setdefault((need.kind, need.row.task), []).append(need.row)
    for (kind, task), rows in groups.items():
        lags = ", ".join(map(str, sorted({row.lag for row in rows})))
        yield f"{kind}: {task} {lags} ({join_words(row.model for row in rows)})"
    for kind, words in plain.items():
        yield f"{kind}: {join_words(words)}"
