"""A profile: what is measured, in which order, and what all of its conditions have in common.

A profile has *settings*, each a task with the models measured on it, and *ladders*, each a task of growing difficulty
that models climb. What all conditions share (learning rates, seeds, sizes, the rule of climbing) is hashed into every
record as the *specification*.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from seqbench.errors import BadInput, unknown
from seqbench.protocol.climb import RULE, Rule, Search
from seqbench.protocol.ladders import Ladder
from seqbench.protocol.settings import GRID, SEQUENCE_MODELS, TUNING_SEEDS, Condition, Setting
from seqbench.records.schema import SCHEMA, Counting, Manifest, Precision, Rung, digest
from seqbench.records.spec import RunSpec
from seqbench.values.variants import strip_options

GUEST = Setting("", (), 2_000, 1e-2)
EXPERIMENTAL = ("batch", "parameters", "hidden", "layers", "knob", "rungs")  # what a profile fixes


@dataclass(frozen=True)
class Profile:
    """A list of conditions, and the seeds, sizes and learning rates of their members.

    Attributes
    ----------
    seeds
        How many reporting seeds: 0, 1, ….
    tuned
        Whether the learning rate of each condition is chosen from ``grid`` on the tuning seeds first.
    parameters, counting
        The count that all models are matched to, as nearly as their sizes allow (``models.sizing.common_size``), and
        whether it is of all parameters, or of those beyond embedding and readout.
    embedding
        The width of the learned embedding through which all models read symbols; None for one-hot symbols.
    ladders, rule
        The ladders, in the order in which they are climbed, and the rule of climbing.
    citable
        Whether tables made from it may be cited.
    guest
        The setting of a task that the profile does not list; its name and lags are filled in.
    is_open
        Whether a specification may say itself what is measured and how: the profile of experiments.
    rates
        The learning rates of units that are not tuned because an edition tuned them, by their id; of any other unit
        it is that of its setting.
    folder
        The name of the default results folder; that of the profile if empty.
    grid, tuning_seeds
        The learning rates that a tuned profile chooses from, and the seeds that it tunes on.
    """

    name: str
    settings: tuple[Setting, ...]
    seeds: int
    parameters: int
    tuned: bool = False
    citable: bool = False
    guest: Setting = GUEST
    precision: Precision = "float32"
    grid: tuple[float, ...] = GRID
    tuning_seeds: tuple[int, ...] = TUNING_SEEDS
    ladders: tuple[Ladder, ...] = ()
    rule: Rule = RULE
    counting: Counting = "all"
    embedding: int | None = None
    is_open: bool = False
    folder: str = ""
    rates: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def search(self) -> Search:
        """Return how the learning rates of a ladder are searched."""
        return Search(self.grid, self.tuning_seeds)

    @property
    def specification(self) -> str:
        """Return the hash of what is the same for all conditions, fixed before the first run."""
        shared = {
            "schema": SCHEMA,
            "profile": self.name,
            "seeds": self.seeds,
            "parameters": self.parameters,
            "matched": SEQUENCE_MODELS,
            "rates": [self.grid, self.tuning_seeds] if self.tuned else None,
            "precision": self.precision,
        }
        if self.ladders or self.is_open:
            sizes = {"counting": self.counting, "embedding": self.embedding}
            shared |= sizes | {"rule": asdict(self.rule)}
        return digest(shared)

    def adapt(self, spec: RunSpec) -> "Profile":
        """Return the profile with what a specification changes of it.

        Of the experiments' that is all but the rule of climbing; of any other the grid, and the steps and the rate of
        tasks that it lacks.
        """
        if len(set(spec.grid)) < len(spec.grid):
            raise BadInput(f"grid has a learning rate twice: {list(spec.grid)}")
        if spec.seeds is not None and spec.seeds > min(self.tuning_seeds):
            raise BadInput(
                f"seeds must be at most {min(self.tuning_seeds)}; the tuning has those that follow"
            )
        if self.is_open:
            return self.open_to(spec)
        if spec.grid and not self.tuned:
            raise BadInput(f"profile '{self.name}' tunes no learning rate; leave grid out")
        if spec.learning_rate and self.tuned:
            raise BadInput(
                f"profile '{self.name}' tunes the learning rate; choose another, or leave it out"
            )
        if own := [name for name in EXPERIMENTAL if getattr(spec, name)]:
            raise BadInput(
                f"profile '{self.name}' says itself how it measures; {' and '.join(own)} can be asked of "
                "profile 'experiment'"
            )
        guest = self.guest.change(steps=spec.steps, learning_rate=spec.learning_rate)
        return replace(self, guest=guest, grid=tuple(sorted(spec.grid)) or self.grid)

    def open_to(self, spec: RunSpec) -> "Profile":
        """Return the profile of an experiment: its conditions are those of the specification."""
        if spec.learning_rate and spec.grid:
            raise BadInput(
                "an experiment has one learning_rate, or a grid that it is chosen from; leave one of them out"
            )
        if spec.climbs and spec.learning_rate:
            raise BadInput(
                "a climb chooses its learning rates from a grid; name one, also of one rate"
            )
        if spec.climbs and spec.seeds:
            raise BadInput(describe_seeds(self.rule))
        return replace(
            self,
            guest=self.guest.change(
                steps=spec.steps, learning_rate=spec.learning_rate, batch=spec.batch
            ),
            parameters=spec.parameters or self.parameters,
            tuned=spec.climbs or bool(spec.grid),
            grid=tuple(sorted(spec.grid)) or self.grid,
            folder=name_folder(spec),
        )

    def covers(self, spec: RunSpec) -> bool:
        """Return whether a specification asks only for tasks and lags of the profile, measured as it says."""
        if spec.steps or spec.learning_rate or spec.grid:
            return False
        if any(getattr(spec, name) for name in EXPERIMENTAL):
            return False
        named = [s for s, _ in self.all_settings if not spec.tasks or is_named(s.task, spec.tasks)]
        return set(spec.lags) <= {lag for s in named for lag in s.lags} and all(
            any(is_named(s.task, [task]) for s in named) for task in spec.tasks
        )

    @property
    def all_settings(self) -> list[tuple[Setting, Rung | None]]:
        """Return every setting, those of the ladders first, each with its rung."""
        rungs = [(lad.setting(r), lad.describe(r)) for lad in self.ladders for r in lad.rungs]
        return [*rungs, *((setting, None) for setting in self.settings)]

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the parts in the order in which they are measured; a ladder is a part of its own."""
        parts = dict.fromkeys(setting.part for setting, _ in self.all_settings)
        return tuple(parts) or (self.guest.part,)

    def list_conditions(self) -> Iterator[Condition]:
        """Yield every condition, in the order of the settings."""
        for setting, rung in self.all_settings:
            for lag in setting.lags:
                for model in setting.models:
                    yield Condition(setting, lag, model, rung)

    def select(
        self,
        tasks: Sequence[str] = (),
        models: Sequence[str] = (),
        lags: Sequence[int] = (),
        parts: Sequence[str] = (),
    ) -> list[Condition]:
        """Return the conditions of these tasks, models, lags and parts; an empty selection means all.

        A name without options stands for the name with any options. A task that the profile does not list is measured
        with the setting ``guest`` at the lags given; a model that it does not list, on all ladders and on the settings
        of the first part.
        """
        for part in parts:
            if part not in self.parts:
                raise unknown("part", part, self.parts, f"profile '{self.name}'")
        chosen = [
            (s, rung)
            for s, rung in self.all_settings
            if (not tasks or is_named(s.task, tasks)) and (not parts or s.part in parts)
        ]
        for task in tasks:
            if not any(is_named(s.task, [task]) for s, _ in self.all_settings):
                if not lags:
                    raise BadInput(
                        f"profile '{self.name}' has no lags for task '{task}'; name some with --lag"
                    )
                chosen.append((replace(self.guest, task=task, lags=tuple(lags)), None))
        if lags and (rung := next((rung for _, rung in chosen if rung), None)):
            raise BadInput(
                f"profile '{self.name}' climbs ladder '{rung.ladder}' from its lowest rung; leave the lag out"
            )
        there = {str(lag) for s, _ in chosen for lag in s.lags}
        for lag in lags:
            if str(lag) not in there:
                raise unknown("lag", str(lag), there, f"profile '{self.name}'")
        return [
            Condition(setting, lag, model, rung)
            for setting, rung in chosen
            for lag in setting.lags
            if not lags or lag in lags
            for model in self.select_models(setting, rung, models)
        ]

    def select_models(
        self, setting: Setting, rung: Rung | None, models: Sequence[str]
    ) -> list[str]:
        """Return the models asked for that a setting lists; on ladders and in the first part, all models asked for."""
        if not models:
            return list(setting.models)
        if rung:
            listed = {m for lad in self.ladders if lad.name == rung.ladder for m in lad.models}
            own = [model for model in setting.models if is_named(model, models)]
            return [*own, *(m for m in models if not any(is_named(o, [m]) for o in listed))]
        if setting.part in self.parts[:1]:
            return list(models)
        return [model for model in setting.models if is_named(model, models)]

    def make_manifest(self, edition: str = "local") -> Manifest:
        """Return the manifest of a results folder of this profile."""
        return Manifest(
            schema_version=SCHEMA,
            edition=edition,
            profile=self.name,
            specification=self.specification,
            citable=self.citable,
        )


def is_named(spelling: str, names: Sequence[str]) -> bool:
    """Return whether an entry is among the names, by its whole spelling or without its options."""
    return spelling in names or strip_options(spelling) in names


def describe_seeds(rule: Rule) -> str:
    """Return the sentence for whoever asks for another number of seeds on a ladder."""
    return (
        f"a rung of a ladder has {rule.first} seeds, and {rule.all} where these disagree; "
        "leave seeds out"
    )


def name_folder(spec: RunSpec) -> str:
    """Return the name of the default results folder of an experiment.

    Experiments that differ only in tasks, lags, models and seeds have one folder, so that their results stand in one
    table; what else they change is hashed into the name. A climb has a folder for each task.
    """
    changed = ["steps", "batch", "learning_rate", "grid", "parameters", "hidden", "layers"]
    name = "experiment"
    if spec.climbs:
        changed += ["knob", "rungs", "lags"]
        tasks = {strip_options(task) for task in spec.tasks}
        name = "-".join(["horizon", *(tasks if len(tasks) == 1 else ())])
    values = spec.model_dump(mode="json", include=set(changed), exclude_defaults=True)
    if values.get("knob") == "lag":
        del values["knob"]
    return f"{name}-{digest(values)[:8]}" if values else name
