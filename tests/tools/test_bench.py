"""The driver of ``nox -s bench``."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made import PROVENANCE, SYSTEM

from seqbench import cli
from seqbench.measure.job import Job, make_failed_record
from seqbench.measure.select import select, unit_of
from seqbench.protocol.profiles import PROFILES, SMOKE
from seqbench.records.rows import write
from seqbench.records.schema import Member
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import bench  # noqa: E402
import step_times  # noqa: E402


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def call(capfd):
    """Return a function that runs the driver, and returns its code, its output and its errors."""

    def called(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.terminal.obey(bench.app, [str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return called


BAD = {
    "--profile quik": "did you mean 'quick'?",
    "--tasks ading": "did you mean 'adding'?",
    "--models lsm": "did you mean 'lstm'?",
    "--profile smoke --tasks adding --lags 7": "unknown lag '7'",
    "--lags x": "a lag is a whole number",
    "--seeds 0": "seeds must be greater than 0",
    "--workers 0": "workers must be greater than 0",
    "--budget 9x": "90s, 9m or 1.5h",
    "--device gpu": "unknown device 'gpu'",
    "--tasks moving-shapes --models lstm": "'moving-shapes'",
    "--sedes 3": "--seeds",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_gets_one_sentence_and_writes_nothing(call, arguments):
    code, out, err = call(*arguments.split())
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert BAD[arguments] in err
    assert list(Path().iterdir()) == []


def test_results_of_another_specification_are_not_joined(call):
    manifest = SMOKE.make_manifest().model_copy(update={"specification": "0" * 16})
    write(Path("there", "manifest.json"), manifest.canonical())
    code, out, err = call("--profile", "smoke", "--out", "there")
    assert (code, out) == (3, "")
    assert "specification" in err


NOTEBOOK = """\
---
kernelspec:
  name: python3
  display_name: Python 3
---

```{{code-cell}}
:tags: [parameters]

profile = device = results = "?"
models = []
seeds = None
run = False
```

```{{code-cell}}
{code}
```
"""
SAYS = """
import json, os
os.makedirs(results + "/notebooks", exist_ok=True)
with open(results + "/notebooks/said.json", "w") as file:
    said = {name: os.environ.get(name) for name in ("SEQBENCH_WORKERS", "SEQBENCH_BUDGET")}
    json.dump([profile, device, models, seeds, run, said], file)
"""
FAILS = """
from seqbench.errors import BadInput
raise BadInput("this can't be")
"""


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Let the notebooks be those of this folder, and time no steps."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(bench, "NOTEBOOKS", folder)
    monkeypatch.setattr(step_times, "time_missing_steps", lambda *_: [])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return folder


def test_notebooks_run_side_by_side_and_one_that_fails_stops_nobody(call, notebooks):
    (notebooks / "adding.md").write_text(NOTEBOOK.format(code=FAILS))
    (notebooks / "latch.md").write_text(NOTEBOOK.format(code=SAYS))
    code, _, err = call(
        "--profile", "smoke", "--tasks", "adding,latch", "--models", "rnn", "--seeds", 1,
        "--device", "cpu", "--workers", 4, "--budget", "1h", "--out", "out",
    )  # fmt: skip
    assert code == 2
    assert "adding: this can't be" in err
    assert "latch: measured in" in err
    assert "files of tables are in out/tables" in err
    assert not Path("out/notebooks/adding.ipynb").exists()
    assert "said.json" in Path("out/notebooks/latch.ipynb").read_text()
    *told, said = json.loads(Path("out/notebooks/said.json").read_text())
    assert told == ["smoke", "cpu", ["rnn"], 1, True]
    assert said["SEQBENCH_WORKERS"] == "2"
    assert 3500 < float(said["SEQBENCH_BUDGET"]) < 3600


def test_a_task_without_a_notebook_is_run_directly_and_only_once(call, notebooks, monkeypatch):
    measure = ("--profile", "smoke", "--tasks", "latch", "--models", "rnn", "--out", "out")
    code, out, err = call(*measure, "--workers", 1)
    assert code == 0, err
    assert "latch: 2 of 2 members are to be measured" in err
    assert "latch" in out
    assert "nox -s book -- --results out" in err
    store = Store("out")
    assert len(store.records()) == 2
    assert (store.path / "tables" / "T1.csv").is_file()
    before = {file: file.read_bytes() for file in store.path.rglob("*.jsonl")}

    (notebooks / "latch.md").write_text(NOTEBOOK.format(code=FAILS))  # not executed: all is there
    code, _, err = call(*measure)
    assert code == 0, err
    assert "latch: all 2 members are measured already" in err
    assert before == {file: file.read_bytes() for file in store.path.rglob("*.jsonl")}


def test_a_task_with_options_is_not_left_to_a_notebook_which_would_measure_it_with_any(
    call, notebooks, monkeypatch
):
    settings = [
        replace(SMOKE.settings[0], task=f"counting{options}", lags=(31,), models=("rnn",))
        for options in ("", ":symbols=3")
    ]
    monkeypatch.setitem(PROFILES, "smoke", replace(SMOKE, settings=tuple(settings)))
    (notebooks / "counting.md").write_text(NOTEBOOK.format(code=FAILS))
    code, _, err = call(
        "-p", "smoke", "--tasks", "counting:symbols=3", "--seeds", 1, "--models", "rnn", "--out", "out"
    )  # fmt: skip
    assert code == 0, err
    assert [r.unit.task_spelling for r in Store("out").records()] == ["counting:symbols=3"]


def test_a_run_that_failed_is_told_and_fails_the_command(call, notebooks):
    store = Store("out").create(SMOKE.make_manifest())
    store.add_system(SYSTEM)
    unit = unit_of(next(SMOKE.list_conditions()), SMOKE)
    by = PROVENANCE.model_copy(update={"specification": SMOKE.specification})
    job = Job(unit, (Member(seed=0, learning_rate=unit.budget.learning_rate),), by)
    store.append([make_failed_record(job, "it could not be")])
    code, _, err = call(
        "-p", "smoke", "--tasks", unit.task, "--models", unit.model, "--seeds", 1, "--out", "out"
    )
    assert code == 1
    assert "1 runs failed; seqbench report runs out says why" in err


def test_a_task_whose_data_is_missing_is_skipped_with_a_line(capsys, monkeypatch):
    from user_defined import Absent

    from seqbench.tasks import TASKS

    monkeypatch.setitem(TASKS.added, "absent", Absent)
    asked = RunSpec(profile="smoke", tasks=("absent",), lags=(3,), models=("rnn",), device="cpu")
    assert bench.lacking_tasks(select(asked), Store("nowhere")) == []
    assert capsys.readouterr().err == "absent is skipped: nobody knows where it is\n"


def test_when_the_time_is_up_nothing_is_started(call, notebooks, monkeypatch):
    (notebooks / "latch.md").write_text(NOTEBOOK.format(code=FAILS))
    monkeypatch.setattr(
        step_times, "time_missing_steps", lambda *_: pytest.fail("steps were timed")
    )
    code, _, err = call("-p", "smoke", "--tasks", "latch", "--budget", "0.000001s", "--out", "out")
    assert code == 0
    assert "the time is up" in err
    assert Store("out").records() == []
