"""Where the facts of a folder come from: from itself, or for an older edition from this package, else from the code."""

from pathlib import Path

from seqbench.ledger.rows import LEDGER, Missing, Online, Pair, Row, Score
from seqbench.models import MODELS
from seqbench.protocol.settings import FINER, GRID, TUNING_SEEDS
from seqbench.records import facts
from seqbench.records.facts import ClaimWords, Facts, LedgerRow
from seqbench.records.store import Store
from seqbench.report.claims import CLAIMS
from seqbench.report.tables import TABLES
from seqbench.tasks import TASKS

# Editions of forms 1 and 2 hold no facts: theirs lie here, in a file that is never changed again.
EARLIER = {form: Path(__file__).parent / "forms" / "1.json" for form in (1, 2)}


def facts_of(store: Store) -> Facts:
    """Return what the tables and verdicts of a folder depend on beside what was measured."""
    manifest = store.manifest()
    if (own := store.facts()) is not None:
        return own
    if manifest.edition != "local" and manifest.form in EARLIER:
        return Facts.model_validate_json(EARLIER[manifest.form].read_bytes())
    return facts_of_today()


def facts_of_today() -> Facts:
    """Return what this code says: of one's own results, and of an edition that is published now."""
    return Facts(
        rates=GRID,
        finer_rates=FINER,
        tuning_seeds=TUNING_SEEDS,
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
        ledger=tuple(map(published, LEDGER)),
    )


def published(row: Row) -> LedgerRow:
    """Return what an edition keeps of a row of the ledger: the figure, and what it is compared with."""
    kinds: dict[type[Row], type[facts.Published]] = {
        Online: facts.PublishedTrials,
        Score: facts.PublishedScore,
        Pair: facts.PublishedPair,
        Missing: facts.PublishedAlone,
    }
    kind = kinds[type(row)]
    kept = {name: getattr(row, name) for name in kind.model_fields if name != "kind"}
    found: LedgerRow = kind(**kept)  # type: ignore[assignment]  # one of the four
    return found
