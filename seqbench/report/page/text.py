"""The paragraphs, lists and links of a page, made from the results."""

from collections.abc import Iterable

import pandas as pd

from seqbench.protocol.profiles import PROFILES
from seqbench.report import stats
from seqbench.report.claims.evidence import FirstStep, Need, Probes, StepTimes
from seqbench.report.page.base import BasePage, Html, Text
from seqbench.report.results import describe_system
from seqbench.report.table import FORMATS, Table
from seqbench.report.tables.claims import judge_claims
from seqbench.tasks import TASKS
from seqbench.text import code, html, markdown
from seqbench.values.variants import strip_options

# Tasks with a notebook in the book; the others have a page among the further tasks.
LESSONS = {
    strip_options(setting.task)
    for profile in (PROFILES["paper"], PROFILES["quick"])
    for setting in profile.settings
    if setting.part == profile.parts[0]
}


class TextPage(BasePage):
    """The methods of a page that return text."""

    def setting(self) -> Text | None:
        """Return how the task was measured."""
        if self.empty:
            return None
        found = [r for r in self.results.core if r.unit.task == self.task]
        budget, scale = found[0].unit.budget, found[0].scale
        knob = TASKS.knob(found[0].unit.task)
        better = "more" if scale.higher_is_better else "less"
        rates = sorted({r.member.learning_rate for r in found})
        rate = (
            f"learning rate {rates[0]:g}"
            if len(rates) == 1
            else "learning rates chosen by tuning, see T1"
        )
        inner = " beyond embedding and readout" if found[0].unit.counting == "inner" else ""
        return Text(
            f"Lag: the {markdown(knob.label)}. Score: {markdown(scale.measure)}; chance {scale.chance:.4g}; "
            f"solved at {scale.threshold:.4g} or {better}. "
            f"A run has {budget.steps} steps of {budget.batch} sequences, is validated every "
            f"{budget.validate_every} steps on {budget.validation_size} sequences, and tested once, at its end, on "
            f"{budget.test_size}. All models are matched to {found[0].unit.parameters} parameters{inner}; {rate}."
        )

    def findings(self) -> Text | None:
        """Return which models solved the task, lag by lag, and how uncertain a rate of so few seeds is."""
        if self.empty:
            return None
        lines = [
            f"- {capitalise(spell_lag(rows))}: {describe_outcome(rows)}."
            for _, rows in self.runs.groupby(["task", "lag"])
        ]
        most = int(self.runs.groupby("unit").size().max())
        low, high = stats.wilson(most, most).low, stats.wilson(0, most).high
        lines += [
            "",
            f"With {most} seeds, {most} of {most} is compatible with a solve rate down to {low:.2f}, and 0 of {most} "
            f"with one up to {high:.2f}: a difference of one seed says nothing.",
        ]
        return Text("\n".join(lines))

    def overview(self) -> Text:
        """Return which models solved each task at its longest lag, as a table."""
        if self.empty:
            return self.say_nothing_measured()
        lines = [
            "| task | longest lag | all seeds solved | some | none |",
            "| --- | --- | --- | --- | --- |",
        ]
        for task, rows in self.runs.groupby("task", sort=False):
            longest = rows[rows["lag"] == rows["lag"].max()]
            sets = split_by_outcome(longest)
            conditions = [markdown(", ".join(models)) or "–" for models in sets]
            lines.append(
                f"| {link_to_task(str(task))} | {spell_lag(longest)} | {' | '.join(conditions)} |"
            )
        return Text("\n".join(lines))

    def missing(self) -> Text | None:
        """Return what is planned and not yet measured, by part, as a list."""
        if self.empty:
            return None
        lines = []
        for part in dict.fromkeys(condition.part for condition in self.results.plan):
            rows = [row for row in self.results.table("T1").rows if row.get("part") == part]
            lacking = [row for row in rows if row["status"] == "missing"]
            conditions = "; ".join(f"{row['task']} {row['lag']} {row['model']}" for row in lacking)
            count = f"{len(lacking)} of {len(rows)} conditions"
            more = f": {markdown(conditions)}" if conditions else ""
            lines.append(f"- **{markdown(part)}**: {count}{more}.")
        return Text("\n".join(lines))

    def deviations(self) -> Text | None:
        """Return the deviations from the papers in the rows of T10 that were run, as a list."""
        found = self.find_table("T10")
        if found is None:
            return None
        lines = [
            "- " + markdown(f"{row['paper']}, {row['experiment']}: {row['deviations']}.")
            for row in found.rows
            if row.get("deviations")
        ]
        return Text("\n".join(lines))

    def evidence(self) -> Text | None:
        """Return for every claim its experiment, the observations, and links to the pages that show them."""
        if self.empty:
            return None
        lines = []
        for words, claim, found in judge_claims(self.results):
            pages = dict.fromkeys(map(self.link_to_page, (*claim.needs, *claim.also)))
            lines += [
                f"**{claim.id}: {found.verdict}.** *{markdown(words.sentence)}* {markdown(words.experiment)}",
                "",
                *(f"- {markdown(line)}" for line in found.evidence),
                *(f"- missing: {markdown(thing)}" for thing in found.missing),
                f"- see {', '.join(pages)}",
                "",
            ]  # fmt: skip
        return Text("\n".join(lines))

    def link_to_page(self, need: Need) -> str:
        """Return a link to the page that shows a need of a claim."""
        if isinstance(need, StepTimes | FirstStep):
            return "[throughput](throughput.html)"
        if isinstance(need, Probes):
            return "[inside](inside.html)"
        return link_to_task(strip_options(need.row.task))

    def provenance(self) -> Text | None:
        """Return the edition, the profile, the commits and the machines of the results."""
        if self.empty:
            return None
        manifest = self.results.manifest
        commits = sorted({code(r.provenance.commit[:12]) + (" with changes" if r.provenance.dirty else "")
                          for r in self.results.records})  # fmt: skip
        used = sorted({r.system_id for r in self.results.records})
        where = "; ".join(describe_system(self.results.systems.get(name)) for name in used)
        return Text(
            f"Edition {markdown(manifest.edition)}, profile {markdown(manifest.profile)}, "
            f"specification {code(manifest.specification)}, "
            f"measured by commit {', '.join(commits)} on: {markdown(where)}."
        )

    def downloads(self) -> Html | None:
        """Return links to the files of every table and its citation."""
        if not self.store.exists:
            return None
        edition = self.results.manifest.edition
        lines = [render_links(table, f"tables/{edition}") for table in self.results.tables]
        return Html(f'<ul class="downloads">{"".join(lines)}</ul>', "files of the tables")


def describe_outcome(rows: pd.DataFrame) -> str:
    """Return which models solved, in words."""
    every, some, none = split_by_outcome(rows)
    solved = rows.groupby("model")["solved"]
    parts = [
        f"all seeds of {join_names(every)} solved" if every else "",
        "; ".join(
            f"{solved.get_group(m).sum()} of {len(solved.get_group(m))} of {markdown(m)}"
            for m in some
        ),
        f"no seed of {join_names(none)}" if none else "",
    ]
    return "; ".join(part for part in parts if part)


def split_by_outcome(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Return the models of which all seeds, some seeds, and no seed solved."""
    rate = rows.groupby("model", sort=False)["solved"].mean()
    return (
        [str(m) for m in rate[rate == 1].index],
        [str(m) for m in rate[(rate > 0) & (rate < 1)].index],
        [str(m) for m in rate[rate == 0].index],
    )


def join_names(models: Iterable[str]) -> str:
    """Return names as a list in a sentence."""
    *first, last = map(markdown, models)
    return f"{', '.join(first)} and {last}" if first else last


def spell_lag(rows: pd.DataFrame) -> str:
    """Return the lag of the runs of one task at one lag in words: ``delay of 50 steps``."""
    task, lag = str(rows["task"].iloc[0]), int(rows["lag"].iloc[0])
    return markdown(TASKS.knob(task).spell(lag))


def capitalise(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def link_to_task(task: str) -> str:
    """Return a link to the page of a task; a user-defined task has none, and only its name is returned."""
    page = strip_options(task)
    if page not in TASKS.builtin:
        return markdown(task)
    return f"[{markdown(task)}]({'notebooks' if page in LESSONS else 'tasks'}/{page}.html)"


def render_links(table: Table, folder: str) -> str:
    """Return a line with the files of a table."""
    files = " ".join(
        f'<a href="{html(folder)}/{table.id}.{form.ending}" download>{form.name}</a>'
        for form in FORMATS.values()
    )
    return (
        f'<li><span class="number">{table.id}</span> <span class="title">{html(table.title)}</span> '
        f'<code title="content hash">{table.digest}</code> <span class="files">{files}</span></li>'
    )
