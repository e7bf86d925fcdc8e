"""What a page of the book shows, a line of code each: tables, figures, and sentences made from the results.

A page never fails for want of results: where nothing was measured it says so once, and the rest of it stays empty.
What a sentence takes from the results is written by ``markdown`` or ``code``, and a link leads to a known page only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import punctuation
from typing import Any

import pandas as pd

from seqbench.protocol.profiles import PROFILES
from seqbench.records.store import Store
from seqbench.report import drawing, figures, figures_inside, stats
from seqbench.report.claims.evidence import Compiled, Looked, Need, Timed
from seqbench.report.frame import NO_GPU, Results, described, frame_of
from seqbench.report.table import FORMATS, Row, Table
from seqbench.report.tables.claims import judged
from seqbench.tasks import TASKS
from seqbench.text import code, html, markdown
from seqbench.values.variants import bare

ON_A_TASK_PAGE = (  # the columns of T1 that are shown there
    *(
        "lag",
        "model",
        "status",
        "solved",
        "runs",
        "solve_rate",
        "solve_rate_low",
        "solve_rate_high",
    ),
    *("score_median", "score_min", "score_max", "steps_to_solve", "budget"),
)


# The tasks that the book has a lesson of; the others have a page of their own among the further tasks.
LESSONS = {
    bare(setting.task)
    for setting in PROFILES["paper"].settings
    if setting.part == PROFILES["paper"].parts[0]
}


@dataclass(frozen=True)
class Text:
    """A paragraph or a list, in Markdown."""

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return re.sub(rf"\\([{re.escape(punctuation)}])", r"\1", self.markdown)


@dataclass(frozen=True)
class Html:
    """A piece of a page, in HTML."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


class Page:
    """The results folder that a page is about, and the task, if it is about one.

    Parameters
    ----------
    folder
        The results folder; it need not be there.
    task
        The name of the task.
    """

    def __init__(self, folder: str | Path, task: str | None = None) -> None:
        self.store = Store(folder)
        self.task = task

    @cached_property
    def results(self) -> Results:
        """Return what the folder holds, read once; only where it is there."""
        return Results.read(self.store)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Return the reporting runs of the core, of the task if there is one; none where nothing was measured."""
        frame = frame_of(self.results.core if self.store.exists else [])
        return frame if self.task is None else frame[frame["task"] == self.task]

    @property
    def empty(self) -> bool:
        """Whether nothing was measured."""
        return self.runs.empty

    def nothing(self) -> Text:
        """Return the one line that stands where results would."""
        if self.task is None:
            return Text("*Nothing was measured yet: `nox -s bench` measures it.*")
        return Text(f"*Nothing was measured yet: `seqbench run --task {self.task}` measures it.*")

    # Tables

    def found(self, id_: str) -> Table | None:
        """Return a table of the folder; None where it has no row."""
        if not self.store.exists or id_ not in self.results.facts.tables:
            return None
        return self.results.table(id_) or None

    def table(self) -> Table | Text:
        """Return the part of T1 that is about the task."""
        if self.empty:
            return self.nothing()
        return self.results.table("T1").part(
            ON_A_TASK_PAGE,
            lambda row: row["task"] == self.task and row["status"] != "N/A",
            "The median of the steps to solve is left open where fewer than half of the seeds solved.",
        )

    def accuracy(self) -> Table | Text:
        """Return the part of T1 that is the core."""
        if self.empty:
            return self.nothing()
        table = self.results.table("T1")
        columns = [column.name for column in table.columns]
        return table.part(columns, self.is_core, *table.notes)

    def is_core(self, row: Row) -> bool:
        """Return whether a row of T1 is of the core, or stands there for a model that can't read the task."""
        return self.results.is_core(str(row.get("part") or ""))

    def throughput(self) -> Table | Text:
        """Return T2."""
        return self.found("T2") or Text("*Nothing was timed yet: `seqbench throughput` times it.*")

    def goals(self) -> Table | Text:
        """Return T6."""
        return self.found("T6") or Text(
            "*Nothing was compared yet: `python benchmarks/peers.py` does it.*"
        )

    def ledger(self) -> Table | Text:
        """Return T10, but for what differs from the papers."""
        found = self.found("T10")
        if found is None:
            return Text("*Nothing was replicated yet: `seqbench replicate` does it.*")
        columns = [c.name for c in found.columns if c.name != "deviations"]
        return found.part(columns, lambda row: True, *found.notes)

    def deviations(self) -> Text | None:
        """Return what differs from the papers in the rows that were run, as a list."""
        found = self.found("T10")
        if found is None:
            return None
        lines = [
            "- " + markdown(f"{row['paper']}, {row['experiment']}: {row['deviations']}.")
            for row in found.rows
            if row.get("deviations")
        ]
        return Text("\n".join(lines))

    def claims(self) -> Table | Text:
        """Return T14."""
        return self.found("T14") or self.nothing()

    def evidence(self) -> Text | None:
        """Return for every claim what decides it, what was seen, and the pages that show it."""
        if self.empty:
            return None
        lines = []
        for words, claim, found in judged(self.results):
            pages = dict.fromkeys(map(self.page_of, (*claim.needs, *claim.also)))
            lines += [
                f"**{claim.id}: {found.verdict}.** *{markdown(words.sentence)}* {markdown(words.experiment)}",
                "",
                *(f"- {markdown(line)}" for line in found.evidence),
                *(f"- missing: {markdown(thing)}" for thing in found.missing),
                f"- see {', '.join(pages)}",
                "",
            ]  # fmt: skip
        return Text("\n".join(lines))

    def page_of(self, need: Need) -> str:
        """Return a link to the page that shows what a claim rests on."""
        if isinstance(need, Timed | Compiled):
            return "[throughput](throughput.html)"
        if isinstance(need, Looked):
            return "[inside](inside.html)"
        return link(bare(need.where.task))

    def baselines(self) -> Table | Text:
        """Return T7."""
        return self.found("T7") or Text("*Not computed yet: `seqbench baselines` does it.*")

    def aggregates(self) -> Table | Text:
        """Return T8."""
        return self.found("T8") or self.nothing()

    def pairs(self) -> Table | Text:
        """Return T9."""
        return self.found("T9") or self.nothing()

    def beyond(self) -> Table | Text:
        """Return the part of T1 that is not of the core: variants of its models, and further tasks."""
        if self.empty:
            return self.nothing()
        return self.results.table("T1").part(
            ("task", *ON_A_TASK_PAGE),
            lambda row: bool(row.get("runs")) and not self.is_core(row),
        )

    def missing(self) -> Text | None:
        """Return what is planned beyond the core and was not run, as a list."""
        if self.empty:
            return None
        lines = []
        for part in dict.fromkeys(cell.part for cell in self.results.plan):
            rows = [row for row in self.results.table("T1").rows if row.get("part") == part]
            lacking = [row for row in rows if row["status"] == "missing"]
            cells = "; ".join(f"{row['task']} {row['lag']} {row['model']}" for row in lacking)
            count = f"{len(lacking)} of {len(rows)} cells"
            more = f": {markdown(cells)}" if cells else ""
            lines.append(f"- **{markdown(part)}**: {count}{more}.")
        return Text("\n".join(lines))

    def sensitivity(self) -> Table | Text:
        """Return T3, or say why there is none."""
        return self.found("T3") or Text(
            "*These results were not tuned: every model has the learning rate of its task.*"
        )

    def machines(self) -> Table | None:
        """Return T5."""
        return self.found("T5")

    def downloads(self) -> Html | None:
        """Return the files of every table, with how to cite it."""
        if not self.store.exists:
            return None
        edition = self.results.manifest.edition
        lines = [links(table, f"tables/{edition}") for table in self.results.tables]
        return Html(f'<ul class="downloads">{"".join(lines)}</ul>', "files of the tables")

    # Figures

    def solve_rate(self) -> Html | None:
        """Return the solve rate against the lag."""
        if self.empty:
            return None
        caption = (
            f"Share of seeds that solved the task, against its lag, with Wilson's {stats.LEVEL:.0%} interval "
            f"({self.seeds()}). Models stand a little apart where they would hide each other."
        )
        return figure(figures.solve_rate(self.runs, self.task), f"rate {self.task}", caption)

    def scores(self) -> Html | None:
        """Return every seed's score."""
        if self.empty or self.task is None:
            return None
        lost = int(self.runs["score"].isna().sum())
        caption = "The score of every seed on the test set. "
        caption += (
            f"A cross stands for a run that ended without one ({lost} of {len(self.runs)})."
            if lost
            else ""
        )
        return figure(figures.scores(self.runs, self.task), f"scores {self.task}", caption)

    def learning_curves(self) -> Html | None:
        """Return the learning curves."""
        if self.empty or self.task is None:
            return None
        caption = "The score on the validation set while training, a line a seed. Dashed: threshold; dotted: chance."
        return figure(figures.learning_curves(self.runs, self.task), f"curves {self.task}", caption)

    def steps_to_solve(self) -> Html | None:
        """Return the steps to solve."""
        if self.empty or self.task is None:
            return None
        caption = "The share of seeds that were not yet solved, against the steps trained (Kaplan and Meier)."
        return figure(figures.steps_to_solve(self.runs, self.task), f"steps {self.task}", caption)

    def heat_map(self) -> Html | None:
        """Return the map of all cells."""
        if self.empty:
            return None
        caption = "Seeds that solved, of those run, by task and lag. Hatched: the model can't read such data."
        cells = self.results.table("T1").frame
        core = cells[cells["part"].fillna("").map(self.results.is_core)]
        return figure(figures.heat_map(core), "map", caption)

    def step_times(self, device: str = "cpu") -> Html | Text | None:
        """Return the time of a step against the length on a device, or say that it was not measured there."""
        if not (self.store.exists and self.results.throughput):
            return None
        frame = self.results.table("T2").frame
        steps = frame[frame["device"] == device]
        if steps.empty:
            return Text(f"*{NO_GPU}.*" if device == "cuda" else "*Not yet measured on a CPU.*")
        caption = (
            "Time of one step of one sequence of one member: median over the rounds, with quartiles; "
            "each model by the scan that is fastest there."
        )
        return figure(figures.throughput(steps), f"throughput {device}", caption)

    def scan_times(self, device: str = "cpu") -> Html | None:
        """Return the times of the scans on a device, where the loop and another were timed."""
        if not (self.store.exists and self.results.throughput):
            return None
        frame = self.results.table("T2").frame
        steps = frame[frame["device"] == device]
        if figures.against_reference(steps).empty:
            return None
        caption = (
            "Time of a step over that of the same step by the reference loop (dotted): below it is faster. "
            "A point is a model at a length, batch and width."
        )
        return figure(figures.scans(steps), f"scans {device}", caption)

    # What happens inside

    def inside(self) -> Table | None:
        """Return T11, or the part of it that is about the task."""
        table = self.found("T11")
        if table is None or self.task is None:
            return table
        part = table.part([c.name for c in table.columns], lambda row: row["task"] == self.task)
        return part or None

    def cost(self) -> Table | None:
        """Return T12."""
        return self.found("T12")

    def window(self) -> Table | None:
        """Return T13."""
        return self.found("T13")

    def looked(self, instrument: str) -> bool:
        """Return whether an instrument saw anything of the task."""
        if self.task is None or not self.store.exists:
            return False
        return bool(figures_inside.of_task(self.results.probes, instrument, self.task))

    def gradient_norms(self) -> Html | None:
        """Return the gradient against the lag."""
        if self.task is None or not self.looked("gradient"):
            return None
        caption = (
            "Norm of the gradient of the last answer's loss, by what stands k steps before it: the hidden state, or "
            "the embedding of a model without one; below, the cell of an LSTM. Geometric mean over sequences, over "
            f"that at lag 0; a line a member, cut off below {figures_inside.LEAST:g}."
        )
        drawn = figures_inside.gradient_norms(self.results.probes, self.task)
        return figure(drawn, f"gradient {self.task}", caption)

    def gate_traces(self) -> Html | None:
        """Return the traces of the gates."""
        if self.task is None or not self.looked("gates"):
            return None
        caption = (
            "Gates of a trained member at every step of one sequence; relevant steps are shaded. Coloured: the unit "
            "whose value tells relevant steps from distracting ones best; grey: the median unit."
        )
        drawn = figures_inside.gate_traces(self.results.probes, self.task)
        return figure(drawn, f"gates {self.task}", caption)

    def attention_map(self) -> Html | None:
        """Return where answers look."""
        if self.task is None or not self.looked("attention"):
            return None
        caption = (
            "Where answers look, by the head with the most weight on relevant steps, which are framed: the first "
            "answers of the test set, a row each, before training and after."
        )
        drawn = figures_inside.attention_map(self.results.probes, self.task)
        return figure(drawn, f"attention {self.task}", caption)

    def accuracy_by_age(self) -> Html | None:
        """Return the accuracy against the age of an item."""
        if self.task is None or not self.looked("age"):
            return None
        caption = (
            "Share of right answers against how many items came after the one that is asked for: the newest is at the "
            "left. A line a member, after training."
        )
        drawn = figures_inside.accuracy_by_age(self.results.probes, self.task)
        return figure(drawn, f"age {self.task}", caption)

    # Sentences

    def seeds(self) -> str:
        """Return how many seeds a cell has, in words."""
        counts = sorted(set(self.runs.groupby("unit").size()))
        return f"{' to '.join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))} seeds a model and lag"

    def setting(self) -> Text | None:
        """Return how the task was measured, in a sentence."""
        if self.empty:
            return None
        found = [r for r in self.results.core if r.unit.task == self.task]
        budget, scale = found[0].unit.budget, found[0].scale
        better = "more" if scale.higher_is_better else "less"
        rates = sorted({r.member.learning_rate for r in found})
        rate = (
            f"learning rate {rates[0]:g}"
            if len(rates) == 1
            else "learning rates chosen by tuning, see T1"
        )
        return Text(
            f"Score: {markdown(scale.measure)}; chance {scale.chance:.4g}; "
            f"solved at {scale.threshold:.4g} or {better}. "
            f"A run has {budget.steps} steps of {budget.batch} sequences, is validated every "
            f"{budget.validate_every} steps on {budget.validation_size} sequences, and tested once, at its end, on "
            f"{budget.test_size}. All models are matched to {found[0].unit.parameters} parameters; {rate}."
        )

    def findings(self) -> Text | None:
        """Return what the runs of the task say, lag by lag, and how little that many seeds can say."""
        if self.empty:
            return None
        lines = [f"- At lag {lag}: {said(rows)}." for lag, rows in self.runs.groupby("lag")]
        most = int(self.runs.groupby("unit").size().max())
        low, high = stats.wilson(most, most).low, stats.wilson(0, most).high
        lines += [
            "",
            f"With {most} seeds, {most} of {most} is compatible with a solve rate down to {low:.2f}, and 0 of {most} "
            f"with one up to {high:.2f}: a difference of one seed says nothing.",
        ]
        return Text("\n".join(lines))

    def overview(self) -> Text:
        """Return what was found at the longest lag of every task, as a table."""
        if self.empty:
            return self.nothing()
        lines = [
            "| task | longest lag | all seeds solved | some | none |",
            "| --- | --: | --- | --- | --- |",
        ]
        for task, rows in self.runs.groupby("task", sort=False):
            lag = rows["lag"].max()
            sets = by_outcome(rows[rows["lag"] == lag])
            cells = [markdown(", ".join(models)) or "–" for models in sets]
            lines.append(f"| {link(str(task))} | {lag} | {' | '.join(cells)} |")
        return Text("\n".join(lines))

    def provenance(self) -> Text | None:
        """Return where the results come from, in a sentence."""
        if self.empty:
            return None
        manifest = self.results.manifest
        commits = sorted({code(r.provenance.commit[:12]) + (" with changes" if r.provenance.dirty else "")
                          for r in self.results.records})  # fmt: skip
        used = sorted({r.system_id for r in self.results.records})
        where = "; ".join(described(self.results.systems.get(name)) for name in used)
        return Text(
            f"Edition {markdown(manifest.edition)}, profile {markdown(manifest.profile)}, "
            f"specification {code(manifest.specification)}, "
            f"measured by commit {', '.join(commits)} on: {markdown(where)}."
        )


def said(rows: pd.DataFrame) -> str:
    """Return who solved, in words."""
    every, some, none = by_outcome(rows)
    solved = rows.groupby("model")["solved"]
    parts = [
        f"all seeds of {names(every)} solved" if every else "",
        "; ".join(
            f"{solved.get_group(m).sum()} of {len(solved.get_group(m))} of {markdown(m)}"
            for m in some
        ),
        f"no seed of {names(none)}" if none else "",
    ]
    return "; ".join(part for part in parts if part)


def by_outcome(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Return the models of which all seeds, some seeds, and no seed solved."""
    rate = rows.groupby("model", sort=False)["solved"].mean()
    return (
        [str(m) for m in rate[rate == 1].index],
        [str(m) for m in rate[(rate > 0) & (rate < 1)].index],
        [str(m) for m in rate[rate == 0].index],
    )


def names(models: Iterable[str]) -> str:
    """Return names as a list in a sentence."""
    *first, last = map(markdown, models)
    return f"{', '.join(first)} and {last}" if first else last


def link(task: str) -> str:
    """Return a link to the built page of a task; a guest has none, and its name stands alone."""
    page = bare(task)
    if page not in TASKS.builtin:
        return markdown(task)
    return f"[{markdown(task)}]({'notebooks' if page in LESSONS else 'tasks'}/{page}.html)"


def figure(drawn: Any, name: str, caption: str) -> Html:
    """Return a figure with its caption."""
    svg = drawing.svg(drawn, name, caption)
    shown = f"{svg}\n<figcaption>{html(caption)}</figcaption>"
    return Html(f'<figure class="seqbench">\n{shown}\n</figure>', caption)


def links(table: Table, folder: str) -> str:
    """Return a line with the files of a table."""
    files = " ".join(
        f'<a href="{html(folder)}/{table.id}.{form.ending}" download>{form.name}</a>'
        for form in FORMATS.values()
    )
    return (
        f'<li><span class="number">{table.id}</span> <span class="title">{html(table.title)}</span> '
        f'<code title="content hash">{table.digest}</code> <span class="files">{files}</span></li>'
    )
