"""The facts of a folder: its own, or for an older edition those kept in this package, else those of the code."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from seqbench.ledger.rows import LEDGER, Entry, ModelPair, ModelScore, NotRepeated, Online
from seqbench.models import MODELS
from seqbench.protocol.climb import RULE, Rule
from seqbench.protocol.profiles import PROFILES
from seqbench.protocol.settings import FINER, GRID, TUNING_SEEDS
from seqbench.records import facts
from seqbench.records.facts import ClaimWords, ClimbRule, Facts, LedgerRow
from seqbench.records.store import Store
from seqbench.report.claims import CLAIMS
from seqbench.report.tables import TABLES
from seqbench.tasks import TASKS

# Editions of forms 1 and 2 have no facts of their own: theirs are kept in this file, which must never change.
EARLIER = {form: Path(__file__).parent / "forms" / "1.json" for form in (1, 2)}


def read_facts(store: Store) -> Facts:
    """Return what the tables and verdicts of a folder depend on besides its records."""
    manifest = store.manifest()
    if (own := store.facts()) is not None:
        return own
    if manifest.edition != "local" and manifest.form in EARLIER:
        return Facts.model_validate_json(EARLIER[manifest.form].read_bytes())
    if (profile := PROFILES.get(manifest.profile)) is None:
        return collect_facts(store.grid() or GRID)
    return collect_facts(store.grid() or profile.grid, profile.tuning_seeds, profile.rule)


def collect_facts(
    rates: Sequence[float] = GRID, tuning_seeds: Sequence[int] = TUNING_SEEDS, rule: Rule = RULE
) -> Facts:
    """Return the facts of this code: for local results, and for an edition that is published now.

    Parameters
    ----------
    rates, tuning_seeds
        The learning rates that the runs were tuned over, and the seeds that they were tuned on.
    rule
        The rule by which ladders were climbed.
    """
    return Facts(
        rates=tuple(rates),
        finer_rates=FINER,
        tuning_seeds=tuple(tuning_seeds),
        tasks=tuple(TASKS.builtin),
        models=tuple(MODELS.builtin),
        video_models=tuple(
            sorted(name for name in MODELS.builtin if MODELS.facts(name).reads == "video")
        ),
        tables=tuple(TABLES),
        claims=tuple(
            ClaimWords(id=c.id, sentence=c.sentence, experiment=c.experiment, rule=c.rule_in_words)
            for c in CLAIMS.values()
        ),
        ledger=tuple(map(convert_row, LEDGER)),
        climbing=ClimbRule(**asdict(rule)),
    )


def convert_row(row: Entry) -> LedgerRow:
    """Return the part of a row of the ledger that an edition keeps: the figure, and what it is compared with."""
    kinds: dict[type[Entry], type[facts.Published]] = {
        Online: facts.PublishedTrials,
        ModelScore: facts.PublishedScore,
        ModelPair: facts.PublishedPair,
        NotRepeated: facts.PublishedAlone,
    }
    kind = kinds[type(row)]
    kept = {name: getattr(row, name) for name in kind.model_fields if name != "kind"}
    found: LedgerRow = kind(**kept)  # type: ignore[assignment]  # one of the four
    return found
