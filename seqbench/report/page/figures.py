"""The figures of a page, each with its caption."""

from typing import Any

from seqbench.report import drawing, stats
from seqbench.report.figures.diagnostics import (
    LEAST,
    plot_accuracy_by_age,
    plot_attention_map,
    plot_gate_traces,
    plot_gradient_norms,
    select_probes,
)
from seqbench.report.figures.horizons import plot_horizons, plot_retention
from seqbench.report.figures.runs import (
    plot_heat_map,
    plot_learning_curves,
    plot_scores,
    plot_solve_rate,
    plot_steps_to_solve,
)
from seqbench.report.figures.throughput import compare_to_reference, plot_scans, plot_throughput
from seqbench.report.page.base import BasePage, Html, Text
from seqbench.report.results import NO_GPU
from seqbench.text import html


class FigurePage(BasePage):
    """The methods of a page that return figures."""

    def seeds(self) -> str:
        """Return how many seeds a condition has, in words."""
        counts = sorted(set(self.runs.groupby("unit").size()))
        return f"{' to '.join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))} seeds a model and lag"

    def solve_rate(self) -> Html | None:
        """Return the solve rate against the lag."""
        if self.empty:
            return None
        caption = (
            f"Share of seeds that solved the task, against its lag, with Wilson's {stats.LEVEL:.0%} interval "
            f"({self.seeds()}). Models stand a little apart where they would hide each other."
        )
        return render_figure(plot_solve_rate(self.runs, self.task), f"rate {self.task}", caption)

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
        return render_figure(plot_scores(self.runs, self.task), f"scores {self.task}", caption)

    def learning_curves(self) -> Html | None:
        """Return the learning curves."""
        if self.empty or self.task is None:
            return None
        caption = "The score on the validation set while training, a line a seed. Dashed: threshold; dotted: chance."
        return render_figure(
            plot_learning_curves(self.runs, self.task), f"curves {self.task}", caption
        )

    def steps_to_solve(self) -> Html | None:
        """Return the steps to solve."""
        if self.empty or self.task is None:
            return None
        caption = "The share of seeds that were not yet solved, against the steps trained (Kaplan and Meier)."
        return render_figure(
            plot_steps_to_solve(self.runs, self.task), f"steps {self.task}", caption
        )

    def heat_map(self) -> Html | None:
        """Return the heat map of the core."""
        if self.empty:
            return None
        caption = "Seeds that solved, of those run, by task and lag. Hatched: the model can't read such data."
        if any(climb.first_failed for climb in self.results.climbs):
            caption += " Beyond: above a rung that was failed, not run."
        conditions = self.results.table("T1").frame
        core = conditions[conditions["part"].fillna("").map(self.results.is_core)]
        return render_figure(plot_heat_map(core), "map", caption)

    def horizon_chart(self) -> Html | None:
        """Return the horizons of all ladders, or of those of the task."""
        if (table := self.find_part("T15")) is None:
            return None
        caption = (
            "How far each model climbs: a line from the last rung that it passed to the first that it failed. An arrow "
            "to the right: no rung was failed; to the left: none was passed. Hollow: a model with options."
        )
        return render_figure(plot_horizons(table.frame), f"horizons {self.task}", caption)

    def retention_curves(self) -> Html | None:
        """Return what solved runs hold at multiples of their lag, on all ladders or on those of the task."""
        if (table := self.find_part("T17")) is None:
            return None
        caption = (
            "Of the runs that solved the highest rung that any run of the model solved, the share that still reaches "
            "the threshold at a multiple of its lag, without further training. Dashed: a model with options."
        )
        return render_figure(plot_retention(table.frame), f"retention {self.task}", caption)

    def step_times(self, device: str = "cpu") -> Html | Text | None:
        """Return the time of a step against the length on a device, or a line if it was not measured there."""
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
        return render_figure(plot_throughput(steps), f"throughput {device}", caption)

    def scan_times(self, device: str = "cpu") -> Html | None:
        """Return the times of the scans on a device, where the loop and another were timed."""
        if not (self.store.exists and self.results.throughput):
            return None
        frame = self.results.table("T2").frame
        steps = frame[frame["device"] == device]
        if compare_to_reference(steps).empty:
            return None
        caption = (
            "Time of a step over that of the same step by the reference loop (dotted): below it is faster. "
            "A point is a model at a length, batch and width."
        )
        return render_figure(plot_scans(steps), f"scans {device}", caption)

    def has_probes(self, instrument: str) -> bool:
        """Return whether there are probes of an instrument on the task."""
        if self.task is None or not self.store.exists:
            return False
        return bool(select_probes(self.results.probes, instrument, self.task))

    def gradient_norms(self) -> Html | None:
        """Return the gradient against the lag."""
        if self.task is None or not self.has_probes("gradient"):
            return None
        caption = (
            "Norm of the gradient of the last answer's loss, by what stands k steps before it: the hidden state, or "
            "the embedding of a model without one; below, the cell of an LSTM. Geometric mean over sequences, over "
            f"that at lag 0; a line a member, cut off below {LEAST:g}."
        )
        drawn = plot_gradient_norms(self.results.probes, self.task)
        return render_figure(drawn, f"gradient {self.task}", caption)

    def gate_traces(self) -> Html | None:
        """Return the traces of the gates."""
        if self.task is None or not self.has_probes("gates"):
            return None
        caption = (
            "Gates of a trained member at every step of one sequence; relevant steps are shaded. Coloured: the unit "
            "whose value tells relevant steps from distracting ones best; grey: the median unit."
        )
        drawn = plot_gate_traces(self.results.probes, self.task)
        return render_figure(drawn, f"gates {self.task}", caption)

    def attention_map(self) -> Html | None:
        """Return the attention maps."""
        if self.task is None or not self.has_probes("attention"):
            return None
        caption = (
            "Where answers look, by the head with the most weight on relevant steps, which are framed: the first "
            "answers of the test set, a row each, before training and after."
        )
        drawn = plot_attention_map(self.results.probes, self.task)
        return render_figure(drawn, f"attention {self.task}", caption)

    def accuracy_by_age(self) -> Html | None:
        """Return the accuracy against the age of an item."""
        if self.task is None or not self.has_probes("age"):
            return None
        caption = (
            "Share of right answers against how many items came after the one that is asked for: the newest is at the "
            "left. A line a member, after training."
        )
        drawn = plot_accuracy_by_age(self.results.probes, self.task)
        return render_figure(drawn, f"age {self.task}", caption)


def render_figure(drawn: Any, name: str, caption: str) -> Html:
    """Return a figure with its caption."""
    svg = drawing.write_svg(drawn, name, caption)
    shown = f"{svg}\n<figcaption>{html(caption)}</figcaption>"
    return Html(f'<figure class="seqbench">\n{shown}\n</figure>', caption)
