"""What the book takes from the code: the pages of models and tasks, and facts that its text leaves open.

Docstrings are read from the syntax tree; constants and options are imported.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from seqbench.errors import unknown
from seqbench.models import MODELS
from seqbench.models.residual import Residual
from seqbench.protocol.ladders import FACTORS
from seqbench.protocol.profile import Profile
from seqbench.protocol.profiles import EDITION, PROFILES
from seqbench.protocol.settings import BETAS, EPSILON, PATIENCE, Setting
from seqbench.records.schema import Manifest
from seqbench.report import stats
from seqbench.tasks import TASKS
from seqbench.text import html
from seqbench.text import markdown as plain_markdown
from seqbench.values.options import list_options
from seqbench.values.variants import spell_value, strip_options

PACKAGE = Path(stats.__file__).parents[1]
LESSONS = {
    file.stem for file in Path(__file__).parent.glob("notebooks/*.md")
}  # tasks with a notebook


def find_module_file(catalogue: dict[str, str], name: str) -> Path:
    """Return the source file of a built-in entry."""
    module = catalogue[name].partition(":")[0]
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


# Models


def write_model_page(name: str, references: dict[str, str]) -> str:
    """Return the page of a model: its docstring, then the code of a step."""
    file = find_module_file(MODELS.builtin, name)
    tree = ast.parse(file.read_text("utf-8"))
    summary, _, rest = (ast.get_docstring(tree) or "").partition("\n")
    heading = "One step in code" if has_step(tree) else "In code"
    lines = [
        f"# {name}",
        summary,
        convert_to_markdown(link_citations(rest, references)),
        f"## {heading}",
    ]
    shown = [(file.name, path) for path in list_code(tree)]
    if issubclass(MODELS[name], Residual):
        shown.append(("residual.py", "Block.forward"))
    lines += [
        f"```{{literalinclude}} ../_code/{code}\n:pyobject: {path}\n:caption: {path}\n:dedent:\n```"
        for code, path in shown
    ]
    return "\n\n".join([*lines, *write_options(MODELS[name])]) + "\n"


def write_task_page(name: str, references: dict[str, str]) -> str:
    """Return the page of a task that has no lesson: its docstring, and the command that measures it."""
    tree = ast.parse(find_module_file(TASKS.builtin, name).read_text("utf-8"))
    summary, _, rest = (ast.get_docstring(tree) or "").partition("\n")
    command = f"seqbench run --profile paper --task {name}"
    lines = [
        f"# {name}",
        summary,
        convert_to_markdown(link_citations(rest, references)),
        write_knob(name),
        *write_options(TASKS[name]),
    ]
    return "\n\n".join([*lines, "## Measured by", f"```sh\n{command}\n```"]) + "\n"


def write_knob(name: str) -> str:
    """Return the sentence of a task's page that names its lag."""
    lags = TASKS[name].lags
    return f"The lag is the {TASKS.knob(name).label}: {lags.start:,} to {lags[-1]:,}."


def write_options(entry: type) -> list[str]:
    """Return the options of a model or a task as a heading and a table; an empty list where there are none."""
    lines = ["| option | what it is | what it can be | if not given |", "| --- | --- | --- | --- |"]
    for option in list_options(entry).values():
        default = "" if option.default is None else f"`{spell_value(option.default)}`"
        lines.append(f"| `{option.name}` | {option.about} | {option.choices} | {default} |")
    return ["## Options", "\n".join(lines)] if lines[2:] else []


def write_tasks_table() -> str:
    """Return the tasks that have no lesson, with the first lines of their docstrings."""
    lines = ["| name | what it is | lag |", "| --- | --- | --- |"]
    lines += [
        f"| [`{name}`](tasks/{name}.md) | {TASKS.summary(name)} | {TASKS.knob(name).label} |"
        for name in TASKS.builtin
        if name not in LESSONS
    ]
    return "\n".join(lines)


def has_step(tree: ast.Module) -> bool:
    """Return whether a model defines the step of a recurrence."""
    return any(path.endswith(".step") for path in list_methods(tree))


def list_code(tree: ast.Module) -> list[str]:
    """Return the methods that compute the equations: steps, or what a diagonal recurrence has, or ``forward``."""
    for wanted in ((".step",), (".project", ".coefficients", ".read"), (".forward",)):
        if found := [path for path in list_methods(tree) if path.endswith(wanted)]:
            return found
    return []


def list_methods(tree: ast.Module) -> Iterator[str]:
    """Yield the methods of a module as ``Class.method``."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    yield f"{node.name}.{part.name}"


def convert_to_markdown(text: str) -> str:
    """Return a docstring's reStructuredText as MyST markdown: maths, literals and drawn examples."""
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    text = re.sub(
        r"(?m)^\.\. math::\n+((?:(?:    .*)?\n)+)", lambda m: display_equations(m[1]), text
    )
    return re.sub(
        r"(?m) ?::\n\n((?:(?:    .*)?\n)+)",
        lambda m: f"\n\n```text\n{dedent(m[1]).strip()}\n```\n\n",
        text,
    )


def display_equations(equations: str) -> str:
    """Return equations as a MyST block; ``aligned`` allows several columns."""
    return (
        f"```{{math}}\n\\begin{{aligned}}\n{dedent(equations).strip()}\n\\end{{aligned}}\n```\n\n"
    )


# Citations


def read_bibliography(text: str) -> dict[str, str]:
    """Return the keys of a BibTeX file by how text cites the entry: ``Le, Jaitly and Hinton (2015)``."""
    keys = {}
    for key, entry in re.findall(r"@\w+\{(\w+),(.*?)\n\}", text, re.DOTALL):
        year = re.search(r"\byear\s*=\s*\{(\d+)\}", entry)
        authors = re.search(r"\bauthor\s*=\s*\{(.*)\},?\n", entry)
        if year is None or authors is None:
            raise ValueError(f"the entry '{key}' has no year or no author")
        names = [decode_accents(name.partition(",")[0]) for name in authors[1].split(" and ")]
        listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
        for who in {listed, f"{names[0]} et al."}:
            keys[f"{who} ({year[1]})"] = key
    return keys


def decode_accents(name: str) -> str:
    """Return a name without BibTeX's marks for accents."""
    accents = {"'e": "é", "'i": "í", '"e': "ë", '"u': "ü", '"o': "ö", '"a': "ä"}
    return re.sub(r"\{\\(.)(\w)\}", lambda m: accents[m[1] + m[2]], name).strip(" {}")


def link_citations(text: str, references: dict[str, str]) -> str:
    """Return the text with a link to the bibliography wherever it cites an entry as ``Author (year)``."""
    for words, key in sorted(
        references.items(), key=lambda item: -len(item[0])
    ):  # longest first: a full list of authors holds shorter ones
        text = re.sub(rf"(?<!\w){match_words(words)}", f"{{cite:t}}`{key}`", text)
        inside = words.replace(" (", ", ").rstrip(")")  # how it is cited within parentheses
        text = re.sub(rf"(?<!\w){match_words(inside)}", f"{{cite:alp}}`{key}`", text)
    return text


def match_words(words: str) -> str:
    """Return a pattern that matches these words, also across line breaks."""
    return r"\s+".join(re.escape(word) for word in words.split())


# Facts


def collect_facts(profile: Profile | None, name: str) -> dict[str, str]:
    """Return the facts that the text of the book leaves open, by the name that it has in braces there."""
    beta1, beta2 = BETAS
    epsilon = format_power(EPSILON)
    return {
        "profile": plain_markdown(name),
        "adam": f"$\\beta_1 = {beta1:g}$, $\\beta_2 = {beta2:g}$ and $\\epsilon = {epsilon}$",
        "patience": str(PATIENCE),
        "level": f"{stats.LEVEL:.0%}".replace("%", " %"),
        "seeds": str(profile.seeds) if profile else "several",
        "parameters": f"about {profile.parameters}" if profile else "as near as it can be",
        "tuning": describe_tuning(profile),
        "settings_table": write_settings_table(profile)
        if profile
        else "Every record says its own.",
        "profiles_table": write_profiles_table(),
        "first_seeds": str(EDITION.rule.first),
        "all_seeds": str(EDITION.rule.all),
        "passes": str(EDITION.rule.passes),
        "fails": str(EDITION.rule.fails),
        "embedding": str(EDITION.embedding),
        "factors": f"{', '.join(map(str, FACTORS[:-1]))} and {FACTORS[-1]}",
        "models_table": write_models_table(),
        "tasks_table": write_tasks_table(),
    }


def describe_tuning(profile: Profile | None) -> str:
    """Return how the learning rates of a profile are found, in a sentence."""
    each = "The learning rate of each condition is"
    if profile and profile.tuned:
        return f"{each} chosen on seeds for tuning alone, by the solve rate on validation."
    if profile and profile.rates:
        return f"{each} the one that the edition chose for it."
    return "The learning rate is the same for all models of a task."


def name_rates(profile: Profile) -> str:
    """Return in a word how the learning rates of a profile are found."""
    return "tuned" if profile.tuned else "of the edition" if profile.rates else "fixed"


def fill(text: str, facts: dict[str, str]) -> str:
    """Return the text of a page with each ``{{ name }}`` replaced by the fact of that name."""

    def find_fact(place: re.Match[str]) -> str:
        if place[1] not in facts:
            raise unknown("open place of a page", place[1], facts)
        return facts[place[1]]

    return re.sub(r"\{\{\s*(.*?)\s*\}\}", find_fact, text)


def write_warning(manifest: Manifest) -> str:
    """Return the banner above every page, in HTML, where results are not citable; else an empty string."""
    if manifest.edition == "local":
        return html(f"Results of one's own, profile {manifest.profile}: not to be cited")
    unsealed = (
        f"An edition that is still being measured, profile {manifest.profile}: not to be cited"
    )
    return "" if manifest.citable else html(unsealed)


def format_power(value: float) -> str:
    """Return a power of ten in TeX."""
    return f"10^{{{int(f'{value:e}'.partition('e')[2])}}}"


def write_settings_table(profile: Profile) -> str:
    """Return the budgets of a profile as a table."""
    rate = None if name_rates(profile) == "fixed" else name_rates(profile)
    lines = ["| task | lags | steps | batch | learning rate | validation, every | test |",
             "| --- | --- | --: | --: | --: | --: | --: |"]  # fmt: skip
    lines += [
        f"| {s.task} | {write_lags(s)} | {s.steps} | {s.batch} | {rate or f'{s.learning_rate:g}'} | "
        f"{s.validation_size}, {s.validate_every} steps | {s.test_size} |"
        for s, rung in profile.all_settings
        if rung or s.part == profile.parts[0]
    ]
    return "\n".join(lines)


def write_lags(setting: Setting) -> str:
    """Return the lags of a setting with what they are: ``10, 50 (delay in steps)``."""
    return f"{', '.join(map(str, setting.lags))} ({TASKS.knob(setting.task).label})"


def write_profiles_table() -> str:
    """Return a table of the profiles."""
    lines = ["| profile | tasks | conditions | seeds a condition | parameters | learning rate | to be cited |",
             "| --- | --: | --: | --: | --: | --- | --- |"]  # fmt: skip
    for p in PROFILES.values():
        rate, cite = name_rates(p), "yes" if p.citable else "no"
        tasks = len({strip_options(setting.task) for setting, _ in p.all_settings})
        conditions = len({(c.setting.task, c.lag, c.model) for c in p.list_conditions()})
        lines.append(
            f"| `{p.name}` | {tasks} | {conditions} | {p.seeds} | {p.parameters} | {rate} | {cite} |"
        )
    return "\n".join(lines)


def write_models_table() -> str:
    """Return the models with the first lines of their docstrings."""
    lines = ["| name | what it is |", "| --- | --- |"]
    lines += [
        f"| [`{name}`](models/{name}.md) | {MODELS.summary(name)} |" for name in MODELS.builtin
    ]
    return "\n".join(lines)
