"""From a run specification to the units that it asks for: what to measure, on which device, and with which code.

Every fault of a specification is found here, before anything is written or trained.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, get_args

from seqbench import machine
from seqbench.catalogue import Catalogue
from seqbench.errors import BadInput, DataMissing, describe, unknown
from seqbench.measure.job import find_shape, make_scale, resolve_scan
from seqbench.measure.ladders import make_ladder
from seqbench.measure.user_defined import pickle_classes
from seqbench.models import MODELS
from seqbench.models.sizing import common_size, match_sizes
from seqbench.protocol.profile import Profile, describe_seeds
from seqbench.protocol.profiles import EXPERIMENT, QUICK, find_profile
from seqbench.protocol.settings import SEQUENCE_MODELS, Condition, Setting
from seqbench.random import Keys
from seqbench.records.schema import Planned, Provenance, Unit
from seqbench.records.spec import RunSpec
from seqbench.scan import Scan
from seqbench.tasks import TASKS
from seqbench.tasks.base import LOSSES, Task
from seqbench.values.options import check_options
from seqbench.values.variants import parse, spell, strip_options

LARGE = 100_000  # every model can have any larger number of parameters within 2 %


@dataclass(frozen=True)
class Selection:
    """What a run is to measure.

    Attributes
    ----------
    profile
        The profile, with what the specification changes of it.
    conditions
        Each condition with the unit that measures it, in the order of the profile. Two parts of a profile may ask for
        the same unit.
    provenance
        The code and the machine, as the records will name them.
    classes
        The tasks and models that were passed as classes, pickled with their code.
    """

    spec: RunSpec
    profile: Profile
    conditions: tuple[tuple[Unit, Condition], ...]
    provenance: Provenance
    classes: bytes

    @property
    def units(self) -> dict[Unit, Condition]:
        """Each unit once, with the last condition that asks for it."""
        return dict(self.conditions)

    @property
    def planned(self) -> list[Planned]:
        """All units that a folder of these results is to hold: of an experiment, those that are asked for."""
        profile, pairs = self.profile, self.conditions
        if not profile.is_open:
            pairs = tuple((unit_of(c, profile), c) for c in profile.list_conditions())
        there: dict[Unit, Planned] = {}
        for unit, c in pairs:
            seeds = len(self.seeds) if profile.is_open else profile.seeds
            seeds = profile.rule.first if c.rung else seeds
            planned = Planned(unit=unit, part=c.setting.part, seeds=seeds, rung=c.rung)
            there.setdefault(unit, planned)
        return list(there.values())

    @property
    def seeds(self) -> range:
        """The reporting seeds."""
        return range(self.spec.seeds or self.profile.seeds)

    @property
    def parts(self) -> list[str]:
        """The parts of the profile that are measured, in their order."""
        return list(dict.fromkeys(c.setting.part for _, c in self.conditions))

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks, without options."""
        return list(dict.fromkeys(unit.task for unit, _ in self.conditions))

    def of_part(self, part: str) -> "Selection":
        """Return what is to be measured of one part of the profile."""
        return self.where(lambda unit, condition: condition.setting.part == part)

    def of_task(self, task: str) -> "Selection":
        """Return what is to be measured of one task, with any options."""
        return self.where(lambda unit, condition: unit.task == task)

    def where(self, holds: Callable[[Unit, Condition], bool]) -> "Selection":
        """Return what is to be measured of the conditions for which a predicate holds."""
        return replace(self, conditions=tuple(pair for pair in self.conditions if holds(*pair)))


def spec_of(
    spec: str | RunSpec,
    options: dict[str, Any],
    function: Callable[..., Any],
    without: Collection[str] = (),
) -> RunSpec:
    """Return a specification with some fields replaced; classes are added to the catalogues.

    Parameters
    ----------
    spec
        A specification, or the name of a profile.
    options
        Fields by name. A task or a model may be a class.
    function
        The function that received the options: errors name it and its own arguments.
    without
        Fields that the function does not accept.
    """
    fields = [name for name in RunSpec.model_fields if name not in without]
    for name in options:
        if name not in fields:
            choices = {*fields, *signature(function).parameters} - {"options"}
            raise unknown(f"argument of {function.__name__}", name, choices)
    for field, catalogue in (("tasks", TASKS), ("models", MODELS)):
        if isinstance(entries := options.get(field), list | tuple):
            options[field] = add_classes(entries, field, catalogue)
    if isinstance(spec, str):
        return RunSpec.of({"profile": spec} | options)
    return spec.change(options)


def add_classes(entries: Iterable[Any], field: str, catalogue: Catalogue) -> list[Any]:
    """Return entries with the names of those that are classes, which are taken into the catalogue."""
    named: dict[str, Any] = {}
    names = []
    for entry in entries:
        if isinstance(entry, str):
            names.append(entry)
            continue
        name = catalogue.add(entry)
        if (
            named.setdefault(name, entry) is not entry
        ):  # one would be measured under the other's name
            raise BadInput(f"{field} has two classes of the name '{name}'; rename one of them")
        names.append(name)
    return names


def select(spec: RunSpec) -> Selection:
    """Return what a specification asks for.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    spec = choose_profile(spec)
    profile = find_profile(spec.profile).adapt(spec)
    if spec.scan not in get_args(Scan):
        raise unknown("scan", spec.scan, get_args(Scan))
    resolve_scan(spec.precision, spec.scan)
    tasks, models = check_names(TASKS, spec.tasks), name_models(spec, profile)
    if spec.climbs:
        ladders = tuple(make_ladder(task, tuple(models), spec) for task in tasks)
        profile = replace(profile, ladders=ladders)
    conditions = conditions_of(spec, profile, tasks, models)
    device = machine.choose_device(spec.device)
    profile = replace(profile, precision=machine.check_precision(spec.precision, device))
    with chdir("."):  # a user-defined class may go elsewhere
        pairs = tuple((unit_of(condition, profile), condition) for condition in conditions)
    classes = pickle_classes(unit for unit, _ in pairs)
    return Selection(spec, profile, pairs, provenance_of(profile, device), classes)


def choose_profile(spec: RunSpec) -> RunSpec:
    """Return a specification that names a profile; one that names none is of ``quick``, or else an experiment."""
    if "profile" in spec.model_fields_set:
        return spec
    fitting = QUICK if QUICK.covers(spec) else EXPERIMENT
    return spec.change({"profile": fitting.name})


def name_models(spec: RunSpec, profile: Profile) -> list[str]:
    """Return the models asked for, each with the width and the number of layers that are asked of all.

    Raises
    ------
    BadInput
        If a model is unknown, or has no such option.
    """
    asked = {
        name: getattr(spec, name)
        for name in ("hidden", "layers")
        if getattr(spec, name) is not None
    }
    models = spec.models or (profile.guest.models if asked else ())
    spellings = []
    for model in check_names(MODELS, models):
        name, options = parse(model)
        if other := [o for o in asked if options.get(o, asked[o]) != asked[o]]:
            raise BadInput(
                f"'{model}' has {' and '.join(other)} of its own; ask for one of the two"
            )
        spellings.append(spell(name, options | asked) if asked else model)
    return check_names(MODELS, spellings)


def conditions_of(
    spec: RunSpec, profile: Profile, tasks: Sequence[str], models: Sequence[str]
) -> list[Condition]:
    """Return the conditions that a specification asks for, by its names alone."""
    if profile.is_open and not tasks:
        raise BadInput(
            "a climb needs a task; name one with --task"
            if spec.climbs
            else "an experiment needs a task, and lags of it; name them with --task and --lag"
        )
    if spec.climbs:
        return list_climbs(spec, profile)
    conditions = profile.select(tasks, models, spec.lags, spec.parts)
    if spec.seeds and (rung := next((c.rung for c in conditions if c.rung), None)):
        raise BadInput(
            f"profile '{profile.name}' climbs ladder '{rung.ladder}': {describe_seeds(profile.rule)}"
        )
    settings = [setting for setting, _ in profile.all_settings]
    own = [condition.task[0] for condition in conditions if condition.setting in settings]
    if own and (spec.steps or spec.learning_rate):
        raise BadInput(
            f"profile '{profile.name}' says itself how task '{own[0]}' is measured; steps and learning_rate are "
            "for tasks that it does not have, and for profile 'experiment'"
        )
    if (
        not tasks or not spec.models
    ):  # then all tasks that the models can read, or all models that read the task
        conditions = [condition for condition in conditions if is_compatible(condition)]
    if not conditions:
        asked = {"tasks": spec.tasks, "parts": spec.parts}
        limits = [f"{what} {', '.join(which)}" for what, which in asked.items() if which]
        raise BadInput(
            f"profile '{profile.name}' has nothing that these models can read at these lags"
            + (f", of {' and '.join(limits)}" if limits else "")
        )
    return conditions


def list_climbs(spec: RunSpec, profile: Profile) -> list[Condition]:
    """Return the rungs that a specification names; without models, those of all climbers that can read the task."""
    if spec.parts:
        raise BadInput(f"a climb has no parts; got {list(spec.parts)}, leave them out")
    conditions = [c for c in profile.list_conditions() if spec.models or is_compatible(c)]
    climbed = {condition.setting.part for condition in conditions}
    for ladder in profile.ladders:
        if ladder.name not in climbed:
            raise BadInput(
                f"no model that climbs the ladders of the edition reads task '{ladder.task}'; name one with --model"
            )
    return conditions


def check_names(catalogue: Catalogue, entries: Iterable[str]) -> list[str]:
    """Return the names without repetition; raise where the catalogue lacks one, or it has no such option."""
    entries = list(dict.fromkeys(entries))
    for name in entries:
        if strip_options(name) in catalogue:
            check_options(
                catalogue.kind, strip_options(name), catalogue[strip_options(name)], parse(name)[1]
            )
        elif "." in strip_options(name) and ":" in name:
            raise BadInput(
                f"'{name}' is the address of a {catalogue.kind}; one of your own is named by an entry point in the "
                f"group {catalogue.group}, or passed to seqbench.run as a class"
            )
        else:
            raise unknown(catalogue.kind, strip_options(name), catalogue)
    return entries


def provenance_of(profile: Profile, device: str) -> Provenance:
    """Return the provenance of a record that is measured now, with this code on this machine."""
    commit, dirty = machine.read_commit()
    return Provenance(
        commit=commit,
        dirty=dirty,
        profile=profile.name,
        specification=profile.specification,
        system=machine.describe_system(device).id,
        device=device,
        threads=1,
        deterministic=True,
        flush_denormal=True,  # asked of every worker; a worker that can't records False
        code=machine.hash_code(),
    )


# Units


def unit_of(condition: Condition, profile: Profile) -> Unit:
    """Return the unit of a condition; raise if the task does not allow the lag or the model can't read the task."""
    try:
        return _unit_of(condition, profile)
    except BadInput:
        raise
    except (Exception, SystemExit) as error:  # in a user-defined class
        what = f"{condition.setting.task} at lag {condition.lag} with {condition.model}"
        raise BadInput(f"{what} can't be measured: {describe(error)}") from None


def _unit_of(condition: Condition, profile: Profile) -> Unit:
    (name, task_options), (net, layers, model_options) = condition.task, condition.net
    task, facts = task_of(condition), MODELS.facts(net)
    if (kind := input_of(condition)) != facts.reads:
        raise BadInput(
            f"model '{condition.model}' reads {facts.reads}, but task '{name}' is {kind}"
        )
    if sees_ahead(condition):
        raise BadInput(
            f"model '{condition.model}' reads both ways, but task '{name}' asks step by step"
        )
    task_options = check_options("task", name, TASKS[name], task_options)
    model_options = check_options("model", net, MODELS[net], model_options)
    if layers != facts.layers:
        check_options("model", net, MODELS[net], {"layers": layers})
    embedding = choose_embedding(task, profile)
    if layers != facts.layers or model_options or net not in MODELS.builtin:
        options = {"layers": layers} | model_options
        with suppress(DataMissing):  # a plan skips the task with a line
            shape = find_shape(MODELS[net], task, embedding, options)
            try_model(condition.model, net, shape)
    unit = Unit(
        task=name,
        task_version=task.version,
        lag=condition.lag,
        task_options=task_options,
        model=net,
        model_version=facts.version,
        parameters=choose_parameters(task, embedding, profile),
        layers=layers,
        model_options=model_options,
        budget=condition.setting.make_budget(
            profile.tuned or bool(profile.rates), list_longer(task, condition.setting)
        ),
        precision=profile.precision,
        counting=profile.counting,
        embedding=embedding,
    )
    if net in MODELS.builtin and (profile.is_open or model_options):
        with suppress(DataMissing):
            check_size(unit, task)
    return unit


def is_compatible(condition: Condition) -> bool:
    """Return whether the model can read the task."""
    wanted = MODELS.facts(condition.net[0]).reads
    return input_of(condition) == wanted and not sees_ahead(condition)


def input_of(condition: Condition) -> str:
    """Return what the task of a condition is: ``video`` or ``sequence``."""
    return "video" if isinstance(task_of(condition).inputs, tuple) else "sequence"


def sees_ahead(condition: Condition) -> bool:
    """Return whether the model would see inputs that come after an answer that is due."""
    return TASKS[condition.task[0]].causal and MODELS.facts(condition.net[0]).both_ways


def task_of(condition: Condition) -> Task:
    """Return the task of a condition; raise if its class can't be instantiated or does not declare its score."""
    name, options = condition.task
    options = check_options("task", name, TASKS[name], options)
    try:
        task: Task = TASKS[name](lag=condition.lag, **options)
        if name not in TASKS.builtin:
            make_scale(task)
            if task.loss not in LOSSES:
                raise unknown(f"loss of task '{name}'", str(task.loss), LOSSES)
        return task
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        why = describe(error)
        raise BadInput(f"task '{name}' can't be made at lag {condition.lag}: {why}") from None


def try_model(spelling: str, net: str, shape: dict[str, Any]) -> None:
    """Raise if the model can't be built in a shape, before anything is measured."""
    model = MODELS[net]
    try:
        least = model.size_options(**shape)
        model(Keys.span(net, 1, "weights", 0, 0, 0), **(least | shape))
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        raise BadInput(f"model '{spelling}' can't be made: {describe(error)}") from None


def check_size(unit: Unit, task: Task) -> None:
    """Raise if the smallest model with the options of a unit has more parameters than it is to have."""
    options = {"layers": unit.layers} | unit.model_options
    shape = find_shape(MODELS[unit.model], task, unit.embedding, options)
    try:
        match_sizes(unit.model, unit.parameters, counting=unit.counting, **shape)
    except BadInput as error:
        raise BadInput(f"model '{unit.model_spelling}' can't be made: {error}") from None


def choose_parameters(task: Task, embedding: int | None, profile: Profile) -> int:
    """Return the number of parameters that the models of a task are matched to."""
    if isinstance(task.inputs, tuple) or profile.parameters > LARGE:
        return profile.parameters
    return common_size(
        SEQUENCE_MODELS,
        profile.parameters,
        counting=profile.counting,
        inputs=embedding or task.inputs,
        outputs=task.outputs,
        causal=task.causal,
    )


def choose_embedding(task: Task, profile: Profile) -> int | None:
    """Return the width of the embedding through which models read a task; None where it has no symbols."""
    return profile.embedding if profile.embedding and task.reads_symbols else None


def list_longer(task: Task, setting: Setting) -> list[int]:
    """Return the lags at which a run of a task is tested without training, of those that the task allows."""
    wanted = sorted({*(factor * task.lag for factor in setting.factors), *setting.tested})
    shape = task.inputs, task.outputs
    return [
        lag for lag in wanted if (at := find_longer(task, lag)) and (at.inputs, at.outputs) == shape
    ]


def find_longer(task: Task, lag: int) -> Task | None:
    """Return the task at another lag of its test; None where it can't have it.

    A user-defined task may say so by any error.
    """
    try:
        return task.at(lag)
    except BadInput:
        return None
    except Exception:
        if TASKS.is_user_defined(task.name):
            return None
        raise
