"""The tables of a page: whole tables of the folder, and parts of T1."""

from seqbench.report.page.base import BasePage, Text
from seqbench.report.table import Table

ON_A_TASK_PAGE = (  # the columns of T1 on the page of a task
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


class TablePage(BasePage):
    """The methods of a page that return tables."""

    def table(self) -> Table | Text:
        """Return the part of T1 that is about the task."""
        if self.empty:
            return self.say_nothing_measured()
        return self.results.table("T1").select(
            ON_A_TASK_PAGE,
            lambda row: row["task"] == self.task and row["status"] != "N/A",
            "The median of the steps to solve is left open where fewer than half of the seeds solved.",
        )

    def accuracy(self) -> Table | Text:
        """Return the part of T1 that is the core."""
        if self.empty:
            return self.say_nothing_measured()
        table = self.results.table("T1")
        columns = [column.name for column in table.columns]
        return table.select(columns, self.is_core, *table.notes)

    def throughput(self) -> Table | Text:
        """Return T2."""
        return self.find_table("T2") or Text(
            "*Nothing was timed yet: `seqbench throughput` times it.*"
        )

    def goals(self) -> Table | Text:
        """Return T6."""
        return self.find_table("T6") or Text(
            "*Nothing was compared yet: `python benchmarks/goals/peers.py` does it.*"
        )

    def ledger(self) -> Table | Text:
        """Return T10 without the column of deviations."""
        found = self.find_table("T10")
        if found is None:
            return Text("*Nothing was replicated yet: `seqbench replicate` does it.*")
        columns = [c.name for c in found.columns if c.name != "deviations"]
        return found.select(columns, lambda row: True, *found.notes)

    def claims(self) -> Table | Text:
        """Return T14."""
        return self.find_table("T14") or self.say_nothing_measured()

    def horizons(self) -> Table | None:
        """Return T15, or the part of it that is about the task."""
        return self.find_part("T15")

    def rungs(self) -> Table | None:
        """Return T16, or the part of it that is about the task."""
        return self.find_part("T16")

    def retention(self) -> Table | None:
        """Return T17, or the part of it that is about the task."""
        return self.find_part("T17")

    def horizon_pairs(self) -> Table | None:
        """Return T18."""
        return self.find_table("T18")

    def baselines(self) -> Table | Text:
        """Return T7."""
        return self.find_table("T7") or Text("*Not computed yet: `seqbench baselines` does it.*")

    def aggregates(self) -> Table | Text:
        """Return T8."""
        return self.find_table("T8") or self.say_nothing_measured()

    def pairs(self) -> Table | Text:
        """Return T9."""
        return self.find_table("T9") or self.say_nothing_measured()

    def beyond(self) -> Table | Text:
        """Return the part of T1 beyond the core: variants of models, and further tasks."""
        if self.empty:
            return self.say_nothing_measured()
        return self.results.table("T1").select(
            ("task", *ON_A_TASK_PAGE),
            lambda row: bool(row.get("runs")) and not self.is_core(row),
        )

    def sensitivity(self) -> Table | Text:
        """Return T3, or say why there is none."""
        return self.find_table("T3") or Text(
            "*No learning rate was chosen here: rates are fixed, or those that an edition chose.*"
        )

    def machines(self) -> Table | None:
        """Return T5."""
        return self.find_table("T5")

    def inside(self) -> Table | None:
        """Return T11, or the part of it that is about the task."""
        table = self.find_table("T11")
        if table is None or self.task is None:
            return table
        part = table.select([c.name for c in table.columns], lambda row: row["task"] == self.task)
        return part or None

    def cost(self) -> Table | None:
        """Return T12."""
        return self.find_table("T12")

    def window(self) -> Table | None:
        """Return T13."""
        return self.find_table("T13")
