"""The command line: one sentence and a code for what is wrong, one document for what is asked."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from made import MANIFEST, UNIT, record

from seqbench import cli
from seqbench.errors import BadInput, shorten_warnings
from seqbench.measure import runs
from seqbench.models import MODELS
from seqbench.protocol.profiles import SMOKE
from seqbench.records.rows import write
from seqbench.records.store import Store
from seqbench.report.form import FORM
from seqbench.report.results import Results
from seqbench.report.table import FORMATS
from seqbench.tasks import TASKS

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "tests")
    yield
    TASKS.added.clear()
    MODELS.added.clear()


@pytest.fixture
def call(capsys):
    """Return a function that gives a command, and returns its code, its output and its errors."""

    def called(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.terminal.obey(cli.app, [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return called


def refused(answer: tuple[int, str, str], *words: str, code: int = 2) -> None:
    """Assert that all there was is a code and one line with these words."""
    found, out, err = answer
    assert (found, out) == (code, "")
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err


BAD = {
    "run --profile quik": ["profile 'quik'", "did you mean 'quick'?"],
    "run --task ading": ["task 'ading'", "did you mean 'adding'?", "choose from"],
    "run --task adding,ading": ["task 'ading'"],
    "run --model lsm --model gru": ["model 'lsm'", "did you mean 'lstm'?"],
    "run -p smoke --task adding --lag 7": ["lag '7'", "choose from: 8"],
    "run -p smoke --task copy --lag 0": ["copy can't have lag 0", "1 to"],
    "run --lag 1O": ["a lag is a whole number", "'1O'"],
    "run --task moving-shapes --lag 5 --model lstm": ["'lstm'", "'moving-shapes'"],
    "run --seeds 0": ["seeds"],
    "run --seeds many": ["--seeds", "integer"],
    "run --workers -1": ["workers"],
    "run --budget soon": ["90s, 9m or 1.5h", "'soon'"],
    "run --budget 0s": ["budget"],
    "run --engine proceses": ["engine 'proceses'", "did you mean 'processes'?"],
    "run --scan nativ": ["scan 'nativ'", "did you mean 'native'?"],
    "run --precision flaot32": ["precision 'flaot32'", "did you mean 'float32'?"],
    "run --device cpu --precision tf32": ["'tf32' needs device 'cuda'", "from: float32, float64"],
    "run --device cpu --precision bfloat16": ["'bfloat16'", "from: float32, float64"],
    "run --scan native --precision bfloat16": ["'native'", "choose from: auto, fused, reference"],
    "run --device gpu": ["device 'gpu'", "auto, cpu, cuda"],
    "run --sedes 3": ["--sedes", "--seeds"],
    "run adding": ["adding"],
    "rnu": ["'rnu'", "'run'"],
    "list taks": ["'taks'", "did you mean 'tasks'?"],
    "throughput --model lsm": ["model 'lsm'", "did you mean 'lstm'?"],
    "throughput --profile smok": ["profile 'smok'"],
    "throughput --scan nativ": ["scan 'nativ'"],
    "throughput --scan reference,nativ": ["scan 'nativ'"],
    "throughput --phase streming": ["phase 'streming'", "did you mean 'streaming'?"],
    "throughput --length 1,x": ["a length is a whole number"],
    "throughput --hidden 0": ["hidden must be whole numbers from 1 to"],
    "throughput --length 1000000 --batch 100000": ["would not fit into memory"],
    "run --learning-rate nan --task echo --lag 3": ["learning_rate must be a finite number"],
    "run --learning-rate 1e400 --task echo --lag 3": ["learning_rate must be a finite number"],
    f"run --out {'x' * 300}": ["File name too long"],
    "run --out=": ["a path is empty"],
    "run --task=": ["a name is empty"],
    "run --model lstm,": ["a name is empty"],
    "run --model lstm:inputs=3": ["unknown option of model 'lstm' 'inputs'", "choose from"],
    "run --model lstm:layers=1000000": ["'layers'", "from 1 to 64"],
    "run --model lstm:truncate=x": ["'truncate'", "'x'", "a whole number"],
    "run --workers 100000": ["workers must be less than"],
    "run --lag 77": ["an experiment needs a task", "--task"],
    "run --task adding --steps 9": ["no lags for task 'adding'", "--lag"],
    "run --task adding --lag 6 --part cor": ["part 'cor'", "did you mean 'core'?"],
    "run -p quick --task adding --batch 9": [
        "'quick' says itself",
        "batch can be asked of",
        "'experiment'",
    ],
    "run -p paper --task adding --hidden 9": ["'paper' says itself", "hidden"],
    "run --task adding --lag 6 --learning-rate 1e-3,x": ["a learning rate is a number", "'x'"],
    "run --task adding --lag 6 --learning-rate 0.1,0.1": ["grid has a learning rate twice"],
    "run --task adding --lag 6 --hidden 9000": ["'hidden'", "can't be '9000'", "from 1 to 8,192"],
    "run --task adding --lag 6 --model lstm:hidden=3 --hidden 4": [
        "'lstm:hidden=3' has hidden of its own"
    ],
    "run --task adding --lag 6 --model transformer --hidden 64": ["at least", "4950 are too few"],
    "run --task adding --lag 6 --parameters 2": ["parameters", "are too few"],
    "run --task adding --lag 6 --parameters 10000001": ["parameters must be less than"],
    "horizon": ["a climb needs a task"],
    "horizon --rungs 2,4": ["a climb needs a task", "--task"],
    "run -p smoke-climb --seeds 3": ["'smoke-climb' climbs ladder 'latch'", "leave seeds out"],
    "run -p smoke-climb --task latch --seeds 20": ["5 seeds, and 12 where these disagree"],
    "run -p smoke-climb --steps 10": ["says itself how task 'latch' is measured", "steps"],
    "horizon --task ading": ["task 'ading'", "did you mean 'adding'?"],
    "horizon --task latch": ["no ladder of latch by lag", "--rungs"],
    "horizon --task copy --knob length": [
        "no ladder of copy by length; it has one by lag and symbols"
    ],
    "horizon --task adding --rungs 8,4": ["the rungs of ladder 'adding' must ascend"],
    "horizon --task adding --rungs 1,2": ["adding can't have lag 1"],
    "horizon --task adding --lag 3": ["leave the lag out"],
    "horizon --task copy --knob symbols --lag 3,4": ["at one lag", "[3, 4]"],
    "horizon --task copy --knob hue --rungs 1 --lag 3": ["unknown option of task 'copy' 'hue'"],
    "horizon --task copy --knob length --rungs 1": ["climbed at one lag", "--lag"],
    "horizon --task copy --model lsm": ["model 'lsm'", "did you mean 'lstm'?"],
    "inside --seeds 1000000000": ["seeds must be"],
    "replicate --trials 99999999999 --budget 1s": ["trials must be less than"],
    "check :": ["':' is no address"],
    "check ..:x": ["'..:x' is no address"],
    "report --task=": ["a name is empty"],
    "check ading": ["'ading'", "did you mean 'adding'?"],
    "check nowhere.at_all:Thing": ["nowhere"],
    "check json:dumps": ["a class"],
    "report nothing/here": ["nothing/here"],
    "report claims nothing/here": ["nothing/here"],
    "report claims": ["results/local/quick"],
    "report --format csv": ["--format writes one table that is named"],
    "report claims --format csv --json": ["without --json"],
    "cite T1 nothing/here": ["nothing/here"],
    "cite": ["table"],
    "list claim": ["'claim'", "did you mean 'claims'?"],
    "validate nothing/here": ["nothing/here"],
    "report": ["results/local/quick"],
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input_gets_one_sentence_and_writes_nothing(call, command):
    refused(call(*command.split()), *BAD[command])
    assert list(Path().iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
@pytest.mark.parametrize("command", ["run", "throughput"])
def test_a_gpu_that_is_not_there_is_refused(call, command):
    refused(call(command, "--device", "cuda"), "'cuda'", "choose from: auto, cpu")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"schema_version": 99}, 2, "99"),
        ({"edition": "2026.1", "files": {"plan.jsonl": "0" * 64}}, 2, "edition '2026.1'"),
        ({"profile": "paper"}, 2, "'paper'"),
        ({"specification": "0" * 16}, 3, "specification"),
    ],
)
def test_results_of_another_kind_are_not_joined(call, change, code, words):
    manifest = SMOKE.make_manifest().model_copy(update=change)
    write(Path("there", "manifest.json"), manifest.canonical())
    before = Path("there", "manifest.json").read_bytes()
    for command in ("run", "throughput"):
        refused(call(command, "-p", "smoke", "--out", "there"), words, code=code)
    assert Path("there", "manifest.json").read_bytes() == before
    assert len(list(Path("there").iterdir())) == 1


def test_a_table_is_printed_by_its_name_or_id(call):
    Store("results").create(MANIFEST)
    code, out, err = call("report", "claims", "results")
    assert (code, err) == (0, "")
    assert "short-memory" in out
    assert "runs of latch 10 rnn: 0 of 10" in out
    code, out, err = call("report", "T14", "results", "--json")
    assert (code, err) == (0, "")
    (rows,) = json.loads(out).values()
    assert {row["verdict"] for row in rows} == {"not settled"}
    refused(call("report", "clams", "results"), "unknown table 'clams'", "did you mean 'claims'?")


FIRST = {  # of what a table is written as
    "csv": "claim,sentence,verdict,",
    "json": "{",
    "latex": "% seqbench, table T14: Claims",
    "html": '<div class="seqbench-table claims">',
    "bibtex": "@misc{seqbench-local-T14,",
    "ris": "TY  - DATA",
}


def test_a_table_is_written_in_every_format(call):
    store = Store("results").create(MANIFEST)
    table = Results.read(store).table("T14")
    assert set(FIRST) == set(FORMATS)
    for name, first in FIRST.items():
        code, out, err = call("report", "claims", "results", "--format", name)
        assert (code, err) == (0, "")
        assert out == FORMATS[name].write(table)
        assert out.startswith(first)
    words = "unknown format 'latx'", "did you mean 'latex'?", "choose from: bibtex, csv, html"
    refused(call("report", "T14", "results", "--format", "latx"), *words)


def test_a_format_holds_the_tasks_that_are_asked_for(call):
    store = Store("results").create(MANIFEST)
    for task in ("adding", "latch"):
        store.append([record(unit=UNIT.model_copy(update={"task": task}))])
    code, out, _ = call("report", "T1", "results", "--task", "latch", "--format", "csv")
    assert code == 0
    assert [line.partition(",")[0] for line in out.splitlines()] == ["task", "latch"]


def test_a_table_is_cited(call):
    table = Results.read(Store("results").create(MANIFEST)).table("T14")
    assert call("cite", "claims", "results") == (0, table.bibtex(), "")
    assert call("cite", "T14", "results", "--format", "ris") == (0, table.ris(), "")
    words = "unknown format 'csv'", "choose from: bibtex, ris"
    refused(call("cite", "T14", "results", "--format", "csv"), *words)
    refused(call("cite", "clams", "results"), "unknown table 'clams' in results")


def test_a_folder_may_have_the_name_of_a_table(call):
    Store("claims").create(MANIFEST)
    code, out, _ = call("report", "claims", "--json")
    assert (code, set(json.loads(out))) == (0, {"accuracy", "throughput"})
    code, out, _ = call("report", "claims", "claims", "--json")
    assert (code, set(json.loads(out))) == (0, {"claims"})


def test_claims_are_listed_with_their_rules(call):
    code, out, _ = call("list", "claims", "--json")
    assert code == 0
    rows = json.loads(out)["claims"]
    assert len(rows) == 23
    assert all(row["claim"] and row["experiment"] and row["rule"] for row in rows)


def test_a_record_that_is_none_is_named_by_file_and_line(call):
    store = Store("results").create(MANIFEST)
    store.append([record()])
    file = next(store.path.glob("records/*/*.jsonl"))
    file.write_text(file.read_text() + record(seed=1).canonical()[:-1] + ',"extra":1}\n')
    refused(call("report", "results"), f"{file}, line 2", "extra")
    code, out, err = call("validate", "results")
    assert (code, err) == (1, "")
    assert any(f"{file}, line 2" in line and "extra" in line for line in out.splitlines())
    code, out, _ = call("validate", "results", "--json")
    assert code == 1
    assert any("line 2" in wrong for wrong in json.loads(out)["wrong"])


def test_data_with_other_bytes_is_refused(call, monkeypatch):
    write(Path("data", "timemachine", "timemachine.txt"), "It was the best of times.")
    monkeypatch.setenv("SEQBENCH_DATA", str(Path("data").absolute()))
    from seqbench.tasks import time_machine

    for name in vars(time_machine).values():
        if hasattr(name, "cache_clear"):
            name.cache_clear()
    refused(call("run", "--task", "time-machine", "--lag", "20"), "timemachine.txt", "SHA-256")
    assert [path.name for path in Path().iterdir()] == ["data"]
    code, out, _ = call("data", "--json")
    assert code == 0
    assert json.loads(out)["data"][0]["found"].startswith("differs")


def test_it_can_be_interrupted(call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupted)
    code, out, err = call("run", "-p", "smoke")
    assert (code, out) == (130, "")
    assert err.strip().splitlines()[-1].startswith("interrupted; what was measured is kept")


# What it answers


@pytest.mark.parametrize("kind", ["models", "tasks", "profiles", "tables"])
def test_a_list_is_one_document(call, kind):
    code, out, err = call("list", kind, "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)[kind]
    if kind != "tables":
        assert {"lstm", "adding", "quick"} & {row["name"] for row in rows}


def test_everything_has_a_line_in_the_list(call):
    code, out, _ = call("list")
    assert code == 0
    for name in (*MODELS, *TASKS):
        assert any(line.startswith(name) and len(line.split()) > 3 for line in out.splitlines())


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (
            ["tasks"],
            ["torch", "pandas", "numpy"],
        ),  # their options are in the classes, and in --json
        (["models"], ["torch", "pandas", "numpy"]),
        (["profiles", "--json"], ["torch", "pandas", "numpy"]),
        (["claims", "--json"], ["torch", "pandas"]),  # a rule knows its statistics
    ],
)
def test_listing_imports_nothing_heavy(words, heavy):
    program = (
        "import sys; from seqbench import cli\n"
        f"try: cli.terminal.obey(cli.app, ['list', *{words}])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_as_a_program_it_leaves_no_traceback():
    command = [sys.executable, "-m", "seqbench", "run", "--profile", "quik"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("unknown profile 'quik'")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["list", "run", "horizon", "throughput", "report", "validate", "data", "check"]
)
def test_help_shows_an_example(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0
    assert "Example: " in out
    assert f"seqbench {command}" in " ".join(out.split())


def test_a_dry_run_says_what_would_be_done(call):
    code, out, err = call("run", "-p", "smoke", "--task", "adding", "--dry-run")
    assert (code, err) == (0, "")
    *units, total = [line for line in out.splitlines() if line.startswith("#")]
    assert len(units) == 4
    assert all(line.startswith("# adding lag 8") and "not known yet" in line for line in units)
    assert total.startswith("# 8 members in 4 jobs")
    assert list(Path().iterdir()) == []
    Path("asked.toml").write_text(out)
    assert call("run", "asked.toml", "--dry-run") == (0, out, "")
    code, out, _ = call("run", "asked.toml", "--model", "gru", "--dry-run")
    assert "# 2 members in 1 jobs" in out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tasks = [", "asked.toml is no TOML file: "),
        ("task = ['adding']", "asked.toml: unknown field of a run specification 'task'; did you mean 'tasks'?"),
        ("seeds = 0", "asked.toml: seeds must be greater than 0; got 0"),
        ("tasks = 'adding'", "asked.toml: tasks must be a list or tuple"),
        ("models = [3]", "asked.toml: models must be a valid string; got [3]"),
        ("grid = [0.1, 'x']", "asked.toml: grid must be a valid number"),
        ("x = " + "[" * 5000, "asked.toml is no TOML file"),
        (None, "can't read asked.toml: No such file"),
        ("tasks = ['addng']", "asked.toml: unknown task 'addng'; did you mean 'adding'?"),
        ("models = ['lstm:layer=2']", "asked.toml: unknown option of model 'lstm' 'layer'"),
        ("profile = 'quick'\ngrid = [0.1]", "asked.toml: profile 'quick' tunes no learning rate; leave grid out"),
        ("grid = [0.1]", "asked.toml: an experiment needs a task, and lags of it"),
        ("tasks = ['adding']\nlags = [100001]", "asked.toml: adding can't have lag 100001"),
        ("tasks = ['adding']\nrungs = [8, 4]", "asked.toml: the rungs of ladder 'adding' must ascend"),
        ("tasks = ['adding']\nrungs = ['8']", "asked.toml: rungs must be a valid integer"),
        ("tasks = ['adding']\nknob = 'hue'\nrungs = [2]", "asked.toml: a ladder of adding by hue is climbed at one"),
        ("hiden = 5", "asked.toml: unknown field of a run specification 'hiden'; did you mean 'hidden'?"),
    ],
)  # fmt: skip
def test_a_file_that_asks_for_what_cannot_be(call, text, why):
    if text is not None:
        Path("asked.toml").write_text(text)
    code, out, err = call("run", "asked.toml", "--dry-run")
    assert (code, out) == (2, "")
    assert why in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("profile = 'smoke'", ("--task", "addng"), "unknown task 'addng'"),
        ("tasks = ['addng']", ("--task", "latch", "--scan", "none"), "unknown scan 'none'"),
        ("profile = 'smoke'", ("--engine", "none"), "unknown engine 'none'"),
    ],
)
def test_a_file_is_named_only_for_its_own_faults(call, text, options, why):
    Path("asked.toml").write_text(text)
    code, out, err = call("run", "asked.toml", *options, "--dry-run")
    assert (code, out) == (2, "")
    assert err.startswith(why)


def test_what_is_to_be_looked_into_names_the_file_too(call):
    Path("asked.toml").write_text("profile = 'smoke'\ntasks = ['moving-shapes']\nlags = [2]")
    code, out, err = call("inside", "asked.toml")
    assert (code, out) == (2, "")
    assert err.startswith("asked.toml: unknown lag '2' in profile 'smoke'")


TINY = ("--steps", "20", "--batch", "4", "--hidden", "3", "--seeds", "2", "--engine", "serial")


def folders() -> list[str]:
    return sorted(path.name for path in Path("results", "local").iterdir())


def test_whatever_quick_lacks_is_an_experiment(call):
    command = ("run", "--task", "adding", "--lag", "6", "--model", "lstm", *TINY)
    assert call(*command)[:2] == (0, "")
    (name,) = folders()
    assert name.startswith("experiment-")
    store = Store(Path("results", "local", name))
    (unit,) = {record.unit for record in store.records()}
    budget = unit.budget
    assert (budget.steps, budget.batch, budget.learning_rate, budget.margin) == (20, 4, 3e-3, 0.5)
    assert (unit.counting, unit.model_options) == ("inner", {"hidden": 3})
    assert store.manifest().profile == "experiment"
    assert not store.manifest().citable
    assert "2 members are measured already" in call(*command)[2]

    assert call(*command, "--lag", "7", "--layers", "1")[0] == 0  # another table
    assert len(folders()) == 2
    more = ("run", "--task", "latch", "--lag", "7", "--model", "gru", *TINY)
    assert call(*more)[0] == 0  # the same conditions: the same table
    assert len(folders()) == 2
    rows = json.loads(call("report", store.path, "--json")[1])["accuracy"]
    assert [(r["task"], r["lag"], r["model"], r["status"]) for r in rows] == [
        ("latch", 7, "gru:hidden=3", "measured"),
        ("adding", 6, "lstm:hidden=3", "measured"),
    ]
    assert call("validate", store.path)[0] == 0


@pytest.mark.parametrize(
    ("options", "profile"),
    [
        ("--task adding --lag 25 --model lstm:hidden=5 --seeds 2", "quick"),
        ("--task adding --lag 100", "experiment"),
        ("--task multiplication --lag 30", "experiment"),
        ("--task adding --lag 10 --steps 9", "experiment"),
        ("--task adding --lag 10 --learning-rate 1e-3,1e-2", "experiment"),
    ],
)
def test_a_run_that_names_no_profile_says_which_it_is(call, options, profile):
    code, out, _ = call("run", *options.split(), "--dry-run")
    assert code == 0
    assert out.splitlines()[0] == f'profile = "{profile}"'


def test_a_file_has_a_folder_of_its_name(call):
    Path("mine.toml").write_text(
        "tasks = ['adding']\nlags = [6]\nmodels = ['rnn']\nsteps = 20\nbatch = 4\nhidden = 3\nseeds = 1\n"
    )
    serial = ("--engine", "serial")
    assert call("run", "mine.toml", *serial)[0] == 0
    assert folders() == ["mine"]
    before = {file: file.read_bytes() for file in Path("results").rglob("*") if file.is_file()}
    words = "adding at lag 6 with rnn:hidden=3 under other conditions", "steps 20, asked for 30"
    refused(call("run", "mine.toml", "--steps", "30", *serial), *words)
    tuned = call("run", "mine.toml", "--learning-rate", "1e-3,1e-2", *serial)
    refused(tuned, "was measured under specification", code=3)
    refused(call("run", "mine.toml", "-p", "smoke", *serial), "'smoke' says itself")
    assert {f: f.read_bytes() for f in Path("results").rglob("*") if f.is_file()} == before
    out = call("run", "mine.toml", "--lag", "6,7", "--dry-run")[1]
    assert "# 1 members in 1 jobs; 1 are measured already" in out


def test_several_learning_rates_are_tuned_over(call):
    rates = ("--learning-rate", "1e-2,1e-3")
    assert call("run", "--task", "latch", "--lag", "3", "--model", "rnn", *TINY, *rates)[0] == 0
    (name,) = folders()
    members = [record.member for record in Store(Path("results", "local", name)).records()]
    assert {m.learning_rate for m in members if m.role == "tuning"} == {1e-2, 1e-3}
    assert sorted(m.seed for m in members if m.role == "reporting") == [0, 1]


CLIMB = "horizon --task latch --rungs 2,3000 --steps 60 --batch 8 --parameters 200 --learning-rate 3e-2 --engine serial"


def test_a_model_of_a_caller_climbs_beside_what_is_published(call):
    import user_defined

    MODELS.add(user_defined.Last)
    rungs = CLIMB.replace("3000", "9")
    code, out, err = call(*rungs.split(), "--model", "last")
    assert code == 0
    assert "less than 2 steps" in out
    assert "no edition in" in err
    (name,) = folders()
    assert name.startswith("horizon-latch-")
    store = Store(Path("results", "local", name))
    assert {r.member.role for r in store.records()} == {"tuning", "reporting"}
    assert {r.unit.lag for r in store.records()} == {2}  # nothing is run above a failed rung
    assert call("validate", store.path)[0] == 0

    Path("results/2027.1").mkdir()
    edition = store.manifest().model_copy(update={"edition": "2027.1", "form": FORM})
    shutil.copytree(store.path, "results/2027.1", dirs_exist_ok=True)
    write(Path("results/2027.1/manifest.json"), edition.canonical())
    code, out, err = call(*rungs.split(), "--model", "last,rnn", "--json")
    assert code == 0
    ((title, rows),) = json.loads(out).items()
    assert title == "latch, here and in edition '2027.1'"
    last = next(row for row in rows if row["model"] == "last")
    assert last["horizon"] == last["published"] == "less than 2 steps"
    assert (last["passed"], last["failed"], last["end"]) == (None, 2, "failed")
    assert next(row for row in rows if row["model"] == "rnn")["published"] is None
    assert "other conditions" not in err
    code, out, err = call(*rungs.replace("60", "20").split(), "--model", "last")
    assert "edition '2027.1' has other conditions: steps 60, here 20" in err
    code, out, _ = call("verify", "results/2027.1", "--results", store.path)
    assert "1 of 1 conditions of edition '2027.1' gave the same records again, bit for bit" in out


def test_an_edition_that_cannot_be_read_does_not_hide_what_was_climbed(call):
    climb = (*CLIMB.replace("2,3000", "2").split(), "--model", "rnn", "--out", "here")
    assert call(*climb)[0] == 0
    own = Store("here")
    edition = own.manifest().model_copy(update={"edition": "2027.1", "form": FORM})
    shutil.copytree(own.path, "results/2027.1")
    write(Path("results/2027.1/manifest.json"), edition.canonical())
    (first, *_) = Path("results/2027.1/records").rglob("*.jsonl")
    first.write_text("{}\n")
    code, out, err = call(*climb)
    assert (code, "rnn" in out) == (0, True)
    assert f"an edition is left out, since it can't be read: {first}, line 1" in err
    Path("results/2027.1/plan.jsonl").write_text("{}\n")
    code, out, err = call(*climb, "--json")
    assert (code, [row["model"] for row in json.loads(out)["latch"]]) == (0, ["rnn"])
    assert "it can't be read: results/2027.1/plan.jsonl, line 1" in err


def test_a_dry_run_of_a_climb_says_which_rung_is_next(call):
    code, out, err = call(*CLIMB.split(), "--model", "rnn", "--dry-run")
    assert (code, err) == (0, "")
    assert "# latch, rnn: delay in steps: next 2 (3 runs, tuning): not known yet\n" in out
    assert list(Path().iterdir()) == []
    Path("climb.toml").write_text(out)
    assert call("run", "climb.toml", "--dry-run") == (0, out, "")
    assert call("run", "climb.toml", "--budget", "0.001s", "--engine", "serial")[0] == 0
    lowest = CLIMB.replace("2,3000", "2")
    assert call(*lowest.split(), "--model", "rnn", "--out", "here")[0] == 0
    code, out, _ = call(*CLIMB.split(), "--model", "rnn", "--dry-run", "--out", "here")
    (line,) = [line for line in out.splitlines() if line.startswith("# latch, rnn")]
    assert "passed 2; next 3000 (3 runs, tuning): about " in line
    code, out, _ = call("horizon", "--task", "copy", "--knob", "symbols", "-m", "rnn", "--dry-run")
    assert "# copy-symbols, rnn: symbols in symbols: next 1 (18 runs, tuning)" in out


def test_from_a_run_to_its_tables(call, monkeypatch):
    latch = ("run", "-p", "smoke", "--task", "latch", "--model", "rnn", "--engine", "serial")
    code, out, err = call(*latch, "--out", "results")
    assert (code, out) == (0, "")
    assert "latch lag 6 rnn seeds 0,1" in err
    store = Store("results")
    before = {file: file.read_bytes() for file in store.path.rglob("*.jsonl")}
    assert len(store.records()) == 2

    code, out, err = call(*latch, "--out", "results")
    assert (code, out) == (0, "")
    assert "2 members are measured already" in err
    assert before == {file: file.read_bytes() for file in store.path.rglob("*.jsonl")}

    code, out, err = call("run", "-p", "smoke", "--task", "latch", "--dry-run", "--out", "results")
    assert "2 are measured already" in out

    code, out, err = call("report", "results", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)["accuracy"]
    assert [row["runs"] for row in rows if row["model"] == "rnn" and row["task"] == "latch"] == [2]
    code, out, _ = call("report", "results", "--task", "latch", "--json")
    assert {row["task"] for row in json.loads(out)["accuracy"]} == {"latch"}
    refused(call("report", "results", "--task", "latsch"), "table 'accuracy'", "latch")
    code, out, err = call("report", "results", "--write")
    assert code == 0
    assert "latch" in out
    assert (store.path / "tables" / "T1.csv").is_file()
    assert call("validate", "results")[0] == 0

    table = store.path / "tables" / "T1.csv"
    table.write_text(table.read_text().replace("latch", "lunch"))
    code, out, _ = call("validate", "results")
    assert code == 1
    assert "T1.csv" in out
    monkeypatch.setattr("seqbench.report.folder.FORM", 4)
    monkeypatch.setattr("seqbench.report.folder.REPRODUCIBLE_FORMS", [4])
    code, out, _ = call("validate", "results")
    assert (code, "no seal speaks for them" in out) == (1, True)
    store.seal()
    code, out, err = call("validate", "results")
    assert (code, out) == (0, "results: nothing is wrong\n")
    assert "tables are of form 3, and this code makes form 4" in err


def test_step_times_are_one_document(call):
    command = ("throughput", "-p", "smoke", "--model", "rnn", "--device", "cpu", "--out", "results")
    code, out, err = call(*command, "--json")
    assert code == 0
    assert "timing steps" in err
    rows = json.loads(out)["throughput"]
    assert [(row["phase"], row["members"]) for row in rows] == [
        ("training", 1),
        ("training", 2),
        ("inference", 1),
        ("inference", 2),
        ("streaming", 1),
        ("streaming", 2),
    ]
    code, out, err = call(*command)
    assert code == 0
    assert "timed already" in err
    assert "rnn" in out


def test_step_times_of_other_sizes_are_asked_for(call):
    command = "throughput -p smoke -m rnn,lstm --scan reference,native --members 1 --length 9,10 --batch 2"
    options = "--hidden 3,4 --phase training,streaming --device cpu --out results --json"
    code, out, _ = call(*command.split(), *options.split())
    assert code == 0
    rows = json.loads(out)["throughput"]
    names = ("model", "phase", "scan", "length", "batch", "members", "hidden")
    found = {tuple(row[name] for name in names) for row in rows}
    assert len(rows) == len(found)
    assert found == {
        (model, phase, scan, length, 2, 1, hidden)
        for model in ("rnn", "lstm")
        for phase, scans in {"training": ("reference", "native"), "streaming": ("step",)}.items()
        for scan in scans
        for length in (9, 10)
        for hidden in (3, 4)
    }


def test_tables_are_listed_where_they_lie(call):
    Store("results/mine").create(MANIFEST).append([record()])
    call("report", "results/mine", "--write")
    rows = json.loads(call("list", "tables", "--json")[1])["tables"]
    assert {"T1", "T4"} <= {row["id"] for row in rows}
    assert {row["folder"] for row in rows} == {"results/mine"}


def test_a_check_tells_how_each_went(call):
    code, out, _ = call("check", "adding")
    assert code == 0
    assert all(line.startswith("ok ") for line in out.splitlines())
    code, out, _ = call("check", "user_defined:Last")
    assert code == 0, out
    code, out, _ = call("check", "user_defined:Faulty", "--json")
    assert code == 1
    checks = json.loads(out)["checks"]
    assert any("this never works" in (each["wrong"] or "") for each in checks)


# Words into values


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("9m", 540), ("1.5h", 5400), (None, None)]
)
def test_durations(text, seconds):
    assert cli.options.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3", "9 m", "1d", "1e3"])
def test_what_is_no_duration(text):
    with pytest.raises(BadInput, match="90s, 9m"):
        cli.options.parse_duration(text)


def test_lists_are_given_with_commas_or_by_repeating():
    assert cli.options.split_names(["a,b", " c ", "d"]) == ["a", "b", "c", "d"]
    assert cli.options.split_names([]) == []
    assert cli.options.parse_numbers(["1,2", "30"], "lag") == [1, 2, 30]


@pytest.mark.parametrize("words", [[""], ["a,"], ["a", " "], [",a"]])
def test_a_name_that_is_empty_is_refused(words):
    with pytest.raises(BadInput, match="a name is empty"):
        cli.options.split_names(words)


def test_options_are_listed_with_type_range_and_default(call):
    code, out, _ = call("list", "models", "--json")
    assert code == 0
    (lstm,) = (row for row in json.loads(out)["models"] if row["name"] == "lstm")
    (truncate,) = (option for option in lstm["options"] if option["name"] == "truncate")
    assert truncate["default"] == 0
    assert truncate["choices"] == "a whole number from 0 to 100,000"
    assert truncate["about"]


def test_an_index_that_is_torn_is_named_and_the_others_are_listed(call):
    write(Path("results", "mine", "tables", "index.json"), '[{"id": "T1", "tit')
    code, out, err = call("list", "tables")
    assert code == 0
    assert "tables: none" in out
    assert len(err.splitlines()) == 1
    assert "index.json is no list of tables" in err


# Where the answer goes


def answered(redirection: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what came of a command in a shell that sends its output somewhere."""
    command = " ".join([sys.executable, "-m", "seqbench", *words, redirection])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["list", "claims"], ["list", "tasks", "--json"]])
def test_who_stops_reading_ends_it_quietly(words):
    done = answered("| head -c 10 >/dev/null", *words)
    assert done.stderr == ""


def test_a_full_output_is_told_in_a_line():
    done = answered(">/dev/full", "list", "claims", "--json")
    assert done.returncode == 2
    assert done.stderr == "can't use the output: No space left on device\n"


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_do_no_harm(redirection):
    done = answered(redirection, "list", "profiles")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("quick" in done.stdout) == (redirection == "2>&-")


def test_a_terminal_that_knows_ascii_only_gets_an_answer():
    done = answered("", "list", "claims", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_a_warning_is_its_sentence_alone(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    shorten_warnings()
    assert warnings.formatwarning("say this", UserWarning, "file.py", 1) == "say this\n"
