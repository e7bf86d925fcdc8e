"""Runs from end to end: the same records however they are made, nothing twice, and nobody stops the others."""

import io
import itertools
import json
import re
import threading
import tomllib
from dataclasses import dataclass, replace
from math import inf, nan
from pathlib import Path

import pytest
import torch
import user_defined
from made import MANIFEST, PROVENANCE, UNIT, record
from rich.console import Console

import seqbench
from seqbench import machine
from seqbench.errors import BadInput, DataMissing, SpecificationDiffers
from seqbench.measure import execute as executing
from seqbench.measure import plan as planning
from seqbench.measure.job import Job, build, measure
from seqbench.measure.plan import estimate_seconds, plan
from seqbench.measure.progress import Live, Plain
from seqbench.measure.runs import run
from seqbench.measure.select import is_compatible, select, spec_of, unit_of
from seqbench.models import MODELS
from seqbench.models.base import Recurrent
from seqbench.models.sizing import choose_count
from seqbench.protocol import profiles
from seqbench.protocol.profile import Profile
from seqbench.protocol.profiles import SMOKE
from seqbench.protocol.quick import RATES
from seqbench.protocol.settings import TUNING_SEEDS, Condition, Setting, choose_rate
from seqbench.records.schema import Curve, Member
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.report.facts import read_facts
from seqbench.tasks import TASKS


@pytest.fixture(autouse=True)
def alone():
    """Send the guests of a serial run home."""
    yield
    TASKS.added.clear()
    MODELS.added.clear()


class Uncelled(Recurrent):
    name = "uncelled"


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.lines: list[str] = []
        self.begun: list[tuple[int, int]] = []

    def begin(self, jobs, steps):
        self.begun.append((jobs, steps))

    def step(self, job, step):
        pass

    def done(self, job, records):
        self.jobs.append(job)

    def say(self, line):
        self.lines.append(line)

    def end(self):
        pass

    @property
    def seeds(self) -> list[int]:
        return sorted(member.seed for job in self.jobs for member in job.members)


def smoke(out, **changes) -> tuple[Store, Recorder]:
    """Run latch with the plain network, or what is said instead, in this process."""
    heard = Recorder()
    what = {"tasks": ["latch"], "models": ["rnn"], "engine": "serial", "listen": heard}
    return run("smoke", out=out, **(what | changes)), heard


def same(store: Store) -> list[str]:
    return sorted(r.serialise_reproducible() for r in store.records())


def files(store: Store) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in store.path.rglob("*.jsonl")}


# The same records, once


def test_worker_processes_and_this_process_give_the_same_records(tmp_path):
    what = {"tasks": ["latch", "adding", "moving-shapes"], "models": [], "device": "cpu"}
    one, _ = smoke(tmp_path / "one", **what)
    two, heard = smoke(tmp_path / "two", **what, engine="processes", workers=2)
    assert same(one) == same(two)
    assert len(same(one)) == 14
    assert one.validate() == two.validate() == []
    assert {r.verdict for r in one.records()} <= {"solved", "not_solved"}
    assert len(heard.jobs) == heard.begun[0][0] == 7
    (system,) = one.systems()
    assert {r.provenance.system for r in one.records()} == {system}
    assert one.manifest() == SMOKE.make_manifest()


@pytest.mark.parametrize("how", ["serial", "processes"])
def test_denormals_are_flushed_and_a_record_says_so(tmp_path, how):
    possible = torch.set_flush_denormal(True)  # ask the processor
    torch.set_flush_denormal(False)
    store, _ = smoke(tmp_path / "out", engine=how, workers=1)
    assert {r.provenance.flush_denormal for r in store.records()} == {possible}
    if how == "serial":  # that worker was this process
        assert ((torch.tensor([1e-40, 2e-39]) * 1 == 0) == possible).all()


def test_a_record_of_a_process_that_keeps_denormals_says_so():
    assert (torch.tensor(1e-40) * 1).item() > 0
    job = Job(UNIT, (Member(seed=0, learning_rate=1e-2),), PROVENANCE)
    assert PROVENANCE.flush_denormal
    broken = replace(job, unit=UNIT.model_copy(update={"model_options": {"wings": 2}}))
    found = measure(job) + measure(broken)
    assert [r.verdict for r in found] == ["not_solved", "failed"]
    assert [r.provenance.flush_denormal for r in found] == [False, False]


def test_a_second_run_skips_what_is_there(tmp_path):
    store, _ = smoke(tmp_path / "out")
    before = files(store)
    _, heard = smoke(tmp_path / "out")
    assert heard.jobs == []
    assert heard.lines == ["2 members are measured already and are skipped"]
    assert files(store) == before


def test_more_seeds_measure_only_those_that_are_missing(tmp_path):
    store, heard = smoke(tmp_path / "out")
    assert heard.seeds == [0, 1]
    before = files(store)
    _, heard = smoke(tmp_path / "out", seeds=4)
    assert heard.seeds == [2, 3]
    assert before.items() <= files(store).items()
    assert sorted(r.member.seed for r in store.records()) == [0, 1, 2, 3]
    _, heard = smoke(tmp_path / "out", seeds=1)
    assert heard.seeds == []


def test_force_measures_again_and_gives_the_same(tmp_path):
    store, _ = smoke(tmp_path / "out")
    before, costs = same(store), [r.cost for r in store.records()]
    _, heard = smoke(tmp_path / "out", force=True)
    assert heard.seeds == [0, 1]
    assert same(store) == before
    assert [r.cost for r in store.records()] != costs


def test_force_with_other_seeds_leaves_nothing_twice(tmp_path):
    store, _ = smoke(tmp_path / "out", seeds=3)
    _, heard = smoke(tmp_path / "out", seeds=2, force=True)
    assert heard.seeds == [0, 1]
    assert sorted(r.member.seed for r in store.records()) == [0, 1, 2]
    assert store.validate() == []


def test_big_stacks_are_cut_and_give_every_member_once(tmp_path, monkeypatch):
    monkeypatch.setitem(planning.MEMBERS_AT_ONCE, "cpu", 2)
    store, heard = smoke(tmp_path / "out", seeds=5)
    assert [len(job.members) for job in heard.jobs] == [2, 2, 1]
    assert sorted(r.member.seed for r in store.records()) == [0, 1, 2, 3, 4]


def test_what_another_run_measured_meanwhile_is_not_measured_again(tmp_path, monkeypatch):
    create = Store.create
    heard = Recorder()

    def overtaken(self, manifest):
        monkeypatch.setattr(Store, "create", create)
        smoke(tmp_path / "out", seeds=3)  # between this run's plan and its lock
        return create(self, manifest)

    monkeypatch.setattr(Store, "create", overtaken)
    store, heard = smoke(tmp_path / "out", seeds=4)
    assert heard.seeds == [3]
    assert sorted(r.member.seed for r in store.records()) == [0, 1, 2, 3]


def test_two_runs_into_one_folder_are_refused(tmp_path):
    store, _ = smoke(tmp_path / "out")
    with store.lock(), pytest.raises(BadInput, match="another run writes to"):
        smoke(tmp_path / "out", seeds=3)
    assert len(store.records()) == 2


def test_the_longest_job_comes_first(tmp_path):
    _, heard = smoke(tmp_path / "out", tasks=["adding", "latch"], models=["rnn", "lstm"])
    assert [job.unit.task for job in heard.jobs] == ["latch"] * 2 + ["adding"] * 2
    assert [job.unit.budget.steps * (job.unit.lag + 1) for job in heard.jobs] == [
        840,
        840,
        360,
        360,
    ]


# What is refused, with nothing written


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tasks": ["ading"]}, "unknown task 'ading'; did you mean 'adding'"),
        ({"models": ["lstn"]}, "unknown model 'lstn'; did you mean 'lstm"),
        ({"lags": [7]}, "unknown lag '7' in profile 'smoke'; .*choose from: 6"),
        ({"engine": "threads"}, "unknown engine 'threads'; .*choose from: "),
        ({"scan": "nativ"}, "unknown scan 'nativ'; did you mean 'native'"),
        ({"device": "tpu"}, "unknown device 'tpu'; choose from: auto, cpu, cuda"),
        ({"seeds": 0}, "seeds must be greater than 0; got 0"),
        ({"seeds": 1001}, "seeds must be at most 1000"),
        ({"workers": -1}, "workers must be greater than 0; got -1"),
        ({"budget": 0.0}, "budget must be greater than 0"),
        ({"tasks": ["moving-shapes"], "models": ["lstm"]}, "reads sequence, .* is video"),
        ({"models": ["cnn_lstm"]}, "reads video, .* is sequence"),
        ({"tasks": ["copy"]}, "no lags for task 'copy'; name some with --lag"),
        ({"tasks": ["reber-stream"], "lags": [3]}, "reber-stream can't have lag 3"),
        ({"tasks": [], "models": ["cnn_lstm"], "lags": [8]}, "has nothing that these models"),
        ({"models": [object]}, "model 'object' is no seqbench.models.base.Model"),
        ({"models": [Uncelled]}, "the options of 'uncelled' can't be read: AttributeError: .*cell"),
        ({"tasks": [object]}, "task 'object' is no seqbench.tasks.base.Task: derive from it"),
        ({"seeds": "3"}, "seeds must be a valid integer; got '3'"),
        ({"budget": "9m"}, "budget must be a valid number; got '9m'"),
        ({"budget": inf}, "budget must be a finite number; got inf"),
        ({"learning_rate": nan}, "learning_rate must be a finite number; got nan"),
        ({"engine": None}, "engine must be a valid string; got None"),
        ({"tasks": "latch"}, "tasks must be a list or tuple, also of one; got 'latch'"),
        ({"lags": [6.0]}, "lags must be a valid integer"),
        ({"colour": "red"}, "unknown argument of run 'colour'; .*choose from: "),
        ({"steps": 10**12}, "steps must be less than or equal to 100000000; got 1000000000000"),
        ({"out": ""}, "out is empty"),
        ({"out": "x" * 300}, "File name too long"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path, changes, why):
    with pytest.raises(BadInput, match=why) as caught:
        smoke(**({"out": tmp_path / "out"} | changes))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spec", [None, 5, {"profile": "smoke"}, Path("smoke.toml")])
def test_what_is_no_specification_is_refused(tmp_path, spec):
    with pytest.raises(BadInput, match="spec must be a valid string or an instance of RunSpec"):
        run(spec, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_is_in_no_part_asked_for_is_refused_and_both_are_named(tmp_path):
    why = "can read at these lags, of tasks latch and parts ledger"
    with pytest.raises(BadInput, match=why):
        run("paper", tasks=["latch"], parts=["ledger"], out=tmp_path / "out")


def test_an_unknown_profile_is_refused(tmp_path):
    with pytest.raises(BadInput, match="unknown profile 'quik'; did you mean 'quick'"):
        run("quik", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_where_there_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match="torch finds no CUDA here"):
        smoke(tmp_path / "out", device="cuda")
    assert machine.choose_device("auto") == "cpu"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dry", [True, False])
def test_a_folder_of_another_specification_is_refused(tmp_path, dry):
    store = Store(tmp_path / "out").create(MANIFEST)
    with pytest.raises(SpecificationDiffers) as caught:
        smoke(store.path, dry_run=dry)
    assert caught.value.exit_code == 3
    assert [f.name for f in store.path.iterdir()] == ["manifest.json"]


def test_a_precision_is_a_specification_and_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store, _ = smoke(None, precision="float64", seeds=1)
    assert store.path == Path("results", "local", "smoke-float64")
    (measured,) = store.records()
    assert measured.unit.precision == "float64"
    assert measured.provenance.specification != SMOKE.specification
    assert store.validate() == []
    with pytest.raises(SpecificationDiffers):
        smoke(store.path, seeds=1)
    single, _ = smoke(None, seeds=1)
    assert single.path == Path("results", "local", "smoke")
    assert single.records()[0].curve != measured.curve


def test_a_torn_record_is_told_before_anything_is_measured(tmp_path):
    store, _ = smoke(tmp_path / "out")
    (file,) = store.path.glob("records/*/*.jsonl")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(BadInput, match=re.escape(f"{file}, line 2: ")):
        smoke(tmp_path / "out", seeds=3)
    assert list(store.path.glob("records/*/*.jsonl")) == [file]


def test_models_alone_are_measured_on_what_they_can_read(tmp_path):
    _, heard = smoke(tmp_path / "out", tasks=[], models=["rnn"])
    assert {job.unit.task for job in heard.jobs} == {"latch", "adding"}
    _, heard = smoke(tmp_path / "out", tasks=[], models=["cnn_lstm"], dry_run=True)
    assert any("moving-shapes lag 1 cnn_lstm" in line for line in heard.lines)


def test_what_is_named_twice_is_measured_once(tmp_path):
    _, heard = smoke(tmp_path / "out", tasks=["latch", "latch"], models=["rnn", "rnn"])
    assert len(heard.jobs) == 1


# Guests, also bad ones


def by_hand():
    """Return a model that no worker can import: it lives in this function."""

    class Local(user_defined.Last):
        """Reads the last step, too."""

        name = "local"

    return Local


def test_guests_and_their_faults_in_worker_processes(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SEQBENCH_TEST_MARK", str(tmp_path / "mark"))
    kinds = [
        user_defined.Chatty, user_defined.Faulty, user_defined.Hungry, user_defined.Starving,
        user_defined.Huge, user_defined.Deadly,
        user_defined.Unlucky, by_hand(),
    ]  # fmt: skip
    store, _ = smoke(tmp_path / "out", models=kinds, engine="processes", workers=2, seeds=3)
    found = {(r.unit.model, r.member.seed): r for r in store.records()}
    assert sorted(found) == sorted((kind.name, seed) for kind in kinds for seed in range(3))
    assert len(store.records()) == len(found)
    assert store.validate() == []
    bad = {key: r for key, r in found.items() if r.verdict != "not_solved"}
    # Who reads the last symbol only can't solve latch, and does nothing worse.
    assert {key: r.verdict for key, r in bad.items()} == {
        ("faulty", 0): "failed",
        ("faulty", 1): "failed",
        ("faulty", 2): "failed",
        ("hungry", 1): "out_of_memory",
        ("starving", 1): "out_of_memory",
        ("huge", 1): "out_of_memory",
        ("deadly", 1): "failed",
    }
    assert bad["faulty", 0].reason == "ValueError: this never works"
    assert bad["hungry", 1].reason is None
    assert bad["deadly", 1].reason == "its worker process ended with exit status 3"
    assert (tmp_path / "mark").exists()
    assert capfd.readouterr().out == ""  # what a model prints does not spoil the answer


def test_a_guest_task_in_worker_processes_and_here(tmp_path):
    what = {"tasks": [user_defined.Echo], "lags": [4], "models": ["rnn"], "seeds": 1}
    one, _ = smoke(tmp_path / "one", **what)
    two, _ = smoke(tmp_path / "two", **what, engine="processes")
    assert same(one) == same(two)
    (found,) = one.records()
    assert (found.unit.task, found.unit.lag, found.verdict) == ("echo", 4, "solved")


def test_faults_in_this_process_are_recorded_as_well(tmp_path):
    store, _ = smoke(
        tmp_path / "out",
        models=[user_defined.Faulty, user_defined.Hungry, user_defined.Last],
        seeds=4,
    )
    verdicts = {(r.unit.model, r.member.seed): r.verdict for r in store.records()}
    assert [verdicts["hungry", seed] for seed in range(4)] == [
        "not_solved", "out_of_memory", "not_solved", "not_solved",
    ]  # fmt: skip
    assert {verdicts["faulty", seed] for seed in range(4)} == {"failed"}
    assert {verdicts["last", seed] for seed in range(4)} == {"not_solved"}


def test_a_member_is_the_same_beside_one_that_ran_out_of_memory(tmp_path):
    class Sated(user_defined.Hungry):
        def misbehave(self):
            pass

    hungry, _ = smoke(tmp_path / "one", models=[user_defined.Hungry], seeds=3)
    sated, _ = smoke(tmp_path / "two", models=[Sated], seeds=3)
    one, two = ({r.member.seed: r for r in store.records()} for store in (hungry, sated))
    for seed in (0, 2):
        assert one[seed].curve.loss == pytest.approx(two[seed].curve.loss, rel=1e-4)


def test_a_guest_that_was_changed_is_the_one_that_is_measured(tmp_path):
    smoke(tmp_path / "one", models=[user_defined.Last])

    class Changed(user_defined.Faulty):
        name = "last"

    store, _ = smoke(tmp_path / "two", models=[Changed])
    assert {r.verdict for r in store.records()} == {"failed"}


def test_no_commit_names_the_code_of_a_guest(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "read_commit", lambda: ("c" * 40, False))
    store, _ = smoke(tmp_path / "out", models=[user_defined.Last, "rnn"], tasks=["latch"], seeds=1)
    assert {r.unit.model: r.provenance.dirty for r in store.records()} == {
        "last": True,
        "rnn": False,
    }
    assert {r.provenance.code for r in store.records()} == {machine.hash_code()}


def test_a_guest_task_has_the_steps_and_the_rate_that_are_asked_for(tmp_path):
    what = {
        "tasks": [user_defined.Echo],
        "lags": [4],
        "models": ["rnn"],
        "seeds": 1,
        "engine": "serial",
    }
    store = run("smoke", **what, steps=30, learning_rate=0.02, out=tmp_path / "out")
    (record,) = store.records()
    assert (record.unit.budget.steps, record.unit.budget.learning_rate) == (30, 0.02)
    assert record.member.learning_rate == 0.02


@pytest.mark.parametrize(
    ("profile", "more", "told"),
    [
        ("quick", {"steps": 30}, "profile 'quick' says itself how task 'adding' is measured"),
        ("paper", {"learning_rate": 0.1}, "profile 'paper' tunes the learning rate"),
        ("quick", {"steps": 0}, "steps must be greater than 0; got 0"),
        ("quick", {"tasks": ["my.tasks:Echo"]}, "'my.tasks:Echo' is the address of a task; one"),
    ],
)
def test_what_a_guest_is_not_asked(tmp_path, profile, more, told):
    with pytest.raises(BadInput, match=told):
        run(profile, **({"tasks": ["adding"]} | more), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_guest_cannot_take_a_name_of_the_house(tmp_path):
    class Impostor(user_defined.Last):
        name = "lstm"

    with pytest.raises(BadInput, match="there is a model 'lstm' already"):
        smoke(tmp_path / "out", models=[Impostor])
    _, heard = smoke(tmp_path / "out", models=[MODELS["lstm"]], dry_run=True)  # it itself may come
    assert any(line.startswith("# latch lag 6 lstm") for line in heard.lines)


@pytest.mark.parametrize("name", ["a/b", "", "../x", "a b", None])
def test_a_guest_has_a_name_that_can_be_a_file(tmp_path, name):
    class Odd(user_defined.Last):
        pass

    Odd.name = name
    with pytest.raises(BadInput, match="needs an attribute 'name'"):
        smoke(tmp_path / "out", models=[Odd])
    assert list(tmp_path.iterdir()) == []


def test_two_classes_of_one_name_are_refused(tmp_path):
    class Last(user_defined.Last):
        pass

    with pytest.raises(BadInput, match="models has two classes of the name 'last'; rename one"):
        smoke(tmp_path / "out", models=[user_defined.Last, Last])
    _, heard = smoke(tmp_path / "out", models=[Last, Last], dry_run=True)
    assert heard.lines[-2] == "# latch lag 6 last seeds 0,1: not known yet"


def test_a_dry_run_is_a_file_whatever_a_class_says(tmp_path, monkeypatch):
    def sample(self, keys):
        raise DataMissing("gone\nprofile = 'other'")

    monkeypatch.setattr(user_defined.Absent, "sample", sample)
    what = {"tasks": [user_defined.Absent], "lags": [6], "dry_run": True}
    _, heard = smoke(tmp_path / "out", **what)
    assert tomllib.loads("\n".join(heard.lines))["profile"] == "smoke"


def test_missing_data_skips_its_task_with_one_line(tmp_path):
    store, heard = smoke(
        tmp_path / "out", tasks=[user_defined.Absent, "latch"], lags=[6], models=["rnn"]
    )
    assert [r.unit.task for r in store.records()] == ["latch"] * 2
    assert heard.lines == ["absent is skipped: nobody knows where it is"]


@pytest.mark.parametrize(
    "what", [{"spec": "smoke", "models": ["gru:start=chrono"]}, {"spec": "experiment", "steps": 9}]
)
def test_missing_data_skips_its_task_where_the_size_of_a_model_depends_on_them(tmp_path, what):
    what = {"models": ["gru:start=chrono"]} | what
    heard = Recorder()
    store = run(
        what.pop("spec"), tasks=[user_defined.Absent, "latch"], lags=[6], seeds=1, **what,
        out=tmp_path / "out", engine="serial", listen=heard,
    )  # fmt: skip
    assert [r.unit.task for r in store.records()] == ["latch"]
    assert heard.lines == ["absent is skipped: nobody knows where it is"]


# Stopped


def test_a_full_disk_keeps_what_is_there_and_the_run_goes_on_later(tmp_path, monkeypatch):
    append = Store.append
    count = itertools.count()

    def small(self, records):
        if next(count) == 1:
            raise BadInput("can't write: no space left on the disk")
        append(self, records)

    what = {"tasks": ["latch"], "models": ["rnn", "lstm"]}
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", small)
        with pytest.raises(BadInput, match="no space"):
            smoke(tmp_path / "out", **what)
    assert len(Store(tmp_path / "out").records()) == 2
    store, heard = smoke(tmp_path / "out", **what)
    assert len(heard.jobs) == 1
    assert len(store.records()) == 4


def test_no_job_is_started_after_the_time_is_up(tmp_path, monkeypatch):
    what = {"tasks": ["latch"], "models": ["rnn", "lstm", "gru"]}
    clock = itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(executing, "monotonic", lambda: float(next(clock)))
        store, heard = smoke(tmp_path / "out", **what, budget=2.5)
    assert len(heard.jobs) == 2
    assert heard.lines == ["the time is up: 1 jobs were not started; run again to go on"]
    assert len(store.records()) == 4
    _, heard = smoke(tmp_path / "out", **what)
    assert len(heard.jobs) == 1


def test_only_what_the_same_code_began_on_the_same_machine_is_gone_on_with(tmp_path):
    by = PROVENANCE.model_copy(update={"code": "c" * 16})
    job = Job(UNIT, (Member(seed=0, learning_rate=1e-2),), by, checkpoint_folder=str(tmp_path))

    def elsewhere(**changes):
        return replace(job, provenance=by.model_copy(update=changes)).checkpoint.path

    assert job.checkpoint.path.parent == tmp_path
    others = [elsewhere(commit="1" * 40), elsewhere(system="0" * 16), elsewhere(device="cuda")]
    others += [
        replace(job, scan="reference").checkpoint.path,
        replace(job, members=()).checkpoint.path,
    ]
    others += [elsewhere(code="d" * 16), replace(job, code="e" * 16).checkpoint.path]
    assert len({job.checkpoint.path, *others}) == 8
    assert elsewhere(code=None) is None  # nothing names that code
    assert replace(job, code=None).checkpoint.path is None
    assert replace(job, checkpoint_folder="").checkpoint.path is None


# Tuning


@pytest.fixture
def tuned(monkeypatch):
    """A profile that tunes two rates on two seeds; the second rate is the better one by far."""
    setting = Setting(
        "latch", (3,), 60, models=("rnn",), batch=8, validate_every=20, validation_size=32,
        test_size=32,
    )  # fmt: skip
    tiny = Profile(
        "tiny", (setting,), seeds=2, parameters=300, tuned=True, grid=(1e-5, 2e-2), tuning_seeds=(1000, 1001),
    )  # fmt: skip
    monkeypatch.setitem(profiles.PROFILES, "tiny", tiny)
    return tiny


def go(out, **changes) -> tuple[Store, Recorder]:
    heard = Recorder()
    return run("tiny", out=out, engine="serial", listen=heard, **changes), heard


def test_a_tuned_profile_tunes_first_and_reports_with_the_best_rate(tmp_path, tuned):
    store, heard = go(tmp_path / "out")
    first, second = heard.jobs
    assert {m.role for m in first.members} == {"tuning"}
    assert sorted((m.learning_rate, m.seed) for m in first.members) == [
        (1e-5, 1000), (1e-5, 1001), (2e-2, 1000), (2e-2, 1001),
    ]  # fmt: skip
    assert [(m.role, m.seed) for m in second.members] == [("reporting", 0), ("reporting", 1)]
    tuning = [r for r in store.records() if r.member.role == "tuning"]
    assert {m.learning_rate for m in second.members} == {choose_rate(tuning)} == {2e-2}
    assert len(store.records()) == 6
    assert go(tmp_path / "out")[1].jobs == []
    _, heard = go(tmp_path / "out", seeds=3)
    assert [m.seed for job in heard.jobs for m in job.members] == [2]
    assert heard.lines == ["6 members are measured already and are skipped"]


@dataclass(frozen=True)
class Graded(user_defined.Echo):
    """The same, as a task on real data."""

    name = "graded"
    graded = True


@pytest.mark.parametrize(("task", "rate"), [(user_defined.Echo, 1e-3), (Graded, 1e-2)])
def test_an_experiment_is_tuned_by_loss_and_on_real_data_by_score(task, rate):
    what = {"tasks": [task], "lags": [3], "models": ["rnn"], "grid": [1e-3, 1e-2], "seeds": 1}
    selection = select(spec_of(RunSpec(profile="experiment"), what, run))
    (unit,) = selection.units
    low, high = (Curve(step=[80], loss=[x], score=[x]) for x in (0.1, 0.9))
    unsolved = {"role": "tuning", "verdict": "not_solved", "score": 0.1, "steps_to_solve": None}
    records = [
        record(seed, lr, unit, curve=curve, **unsolved)
        for lr, curve in ((1e-3, low), (1e-2, high))
        for seed in TUNING_SEEDS
    ]
    (job,) = plan(selection, records).jobs
    assert [(m.role, m.learning_rate) for m in job.members] == [("reporting", rate)]


def test_finer_rates_are_measured_and_never_chosen(tmp_path, tuned, monkeypatch):
    tiny = profiles.PROFILES["tiny"]
    (setting,) = tiny.settings
    better = replace(setting, finer=(1.5e-2, 2e-2))
    finer = replace(tiny, grid=(1e-5, 1e-4), settings=(better,))
    monkeypatch.setitem(profiles.PROFILES, "tiny", finer)
    store, heard = go(tmp_path / "out")
    assert [[m.role for m in job.members] for job in heard.jobs] == [
        ["tuning"] * 4 + ["search"] * 4,
        ["reporting"] * 2,
    ]
    searched = [r for r in store.records() if r.member.role == "search"]
    assert {(r.member.seed, r.member.learning_rate) for r in searched} == {
        (1000, 1.5e-2), (1001, 1.5e-2), (1000, 2e-2), (1001, 2e-2),
    }  # fmt: skip
    assert choose_rate(store.records()) in finer.settings[0].finer  # they did better than the grid
    assert {m.learning_rate for m in heard.jobs[1].members} <= set(finer.grid)
    assert go(tmp_path / "out")[1].jobs == []


def test_tuning_that_was_stopped_goes_on(tmp_path, tuned, monkeypatch):
    monkeypatch.setitem(planning.MEMBERS_AT_ONCE, "cpu", 3)
    clock = itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(executing, "monotonic", lambda: float(next(clock)))
        store, heard = go(tmp_path / "out", budget=1.5)
    assert [len(job.members) for job in heard.jobs] == [2]  # of 4, three at most: two and two
    _, heard = go(tmp_path / "out", dry_run=True)
    assert heard.lines[-1].startswith(
        "# 2 members in 1 jobs, 2 more once the tuning is done; 2 are"
    )
    _, heard = go(tmp_path / "out")
    assert [[m.role for m in job.members] for job in heard.jobs] == [
        ["tuning"] * 2,
        ["reporting"] * 2,
    ]
    assert len(store.records()) == 6


def test_force_tunes_and_reports_again_and_ends(tmp_path, tuned):
    store, _ = go(tmp_path / "out")
    before = same(store)
    _, heard = go(tmp_path / "out", force=True)
    assert [len(job.members) for job in heard.jobs] == [4, 2]
    assert same(store) == before


def test_force_leaves_no_seed_that_reports_at_the_rate_of_an_older_tuning(
    tmp_path, tuned, monkeypatch
):
    store, _ = go(tmp_path / "out")
    (rate,) = {r.member.learning_rate for r in store.records() if r.member.role == "reporting"}
    other = next(rate_ for rate_ in tuned.grid if rate_ != rate)
    monkeypatch.setattr(planning, "choose_rate", lambda records: other)
    store, _ = go(tmp_path / "out", force=True)
    reporting = [r.member for r in store.records() if r.member.role == "reporting"]
    assert [(m.seed, m.learning_rate) for m in reporting] == [(0, other), (1, other)]
    assert store.validate() == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("bogus=1", "unknown option of model 'lstm' 'bogus'"),
        ("inputs=3", "unknown option of model 'lstm' 'inputs'"),
        ("causal=false", "unknown option of model 'lstm' 'causal'"),
        ("bottom=3", "unknown option of model 'lstm' 'bottom'"),
        (
            "hidden=0",
            "'hidden' of model 'lstm' can't be '0'; choose a whole number from 1 to 8,192",
        ),
        ("hidden=abc", "'hidden' of model 'lstm' can't be 'abc'"),
        ("hidden=true", "'hidden' of model 'lstm' can't be 'True'"),
        ("truncate=1.5", "'truncate' of model 'lstm' can't be '1.5'"),
        ("dropout=1", "'dropout' of model 'lstm' can't be '1'; choose a number from 0 below 1"),
        ("layers=1000000", "'layers' of model 'lstm' can't be '1000000'"),
        ("layers=x", "'layers' of model 'lstm' can't be 'x'; choose a whole number from 1 to 64"),
        ("layers=2.5", "'layers' of model 'lstm' can't be '2.5'"),
    ],
)
def test_a_model_that_its_options_make_impossible_is_refused_before_anything_is_written(
    tmp_path, options, why
):
    with pytest.raises(BadInput, match=re.escape(why)):
        smoke(tmp_path / "out", tasks=["adding"], models=[f"lstm:{options}"])
    assert not (tmp_path / "out").exists()


def test_a_time_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQBENCH_BUDGET", "10m")
    with pytest.raises(BadInput, match="SEQBENCH_BUDGET is a number of seconds; got '10m'"):
        smoke(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_learning_rate_that_is_not_tuned_is_of_the_unit():
    setting = Setting("adding", (8,), 40, 1e-2)
    cell, other = (Condition(s, 8, "lstm") for s in (setting, replace(setting, learning_rate=1e-3)))
    assert unit_of(cell, SMOKE).id != unit_of(other, SMOKE).id
    assert unit_of(cell, profiles.PAPER).id == unit_of(other, profiles.PAPER).id


def tried(rate: float, *ends: tuple[bool, float | None]):
    """Return tuning records of a rate: whether each stood solved, and its last loss."""
    return [
        record(
            1000 + k,
            rate,
            role="tuning",
            steps=60,
            steps_to_solve=20 if solved else None,
            curve=Curve(step=[20, 40, 60], loss=[9.0, 9.0, loss], score=[0.5, 0.5, 0.5]),
        )
        for k, (solved, loss) in enumerate(ends)
    ]


@pytest.mark.parametrize(
    ("records", "best"),
    [
        # by solve rate first, whatever the losses
        (tried(1e-4, (True, 0.9), (True, 0.9)) + tried(1e-3, (True, 0.1), (False, 0.1)), 1e-4),
        # then by the median of the last losses
        (tried(1e-4, (False, 0.5), (False, 0.1), (False, 0.4))
         + tried(1e-3, (False, 0.0), (False, 0.6), (False, 0.6)), 1e-4),
        # one that diverged counts as the worst loss
        (tried(1e-4, (False, 0.5)) + tried(1e-2, (False, None)), 1e-4),
        (tried(1e-4, (False, None)) + tried(1e-3, (False, None)), 1e-4),
        # the same: the smaller
        (tried(1e-3, (True, 0.5)) + tried(1e-4, (True, 0.5)), 1e-4),
        (tried(1e-2, (True, 0.4)) + tried(1e-4, (True, 0.5)), 1e-2),
    ],
)  # fmt: skip
def test_the_best_rate(records, best):
    assert choose_rate(records) == best
    assert choose_rate(records[::-1]) == best


def test_the_best_rate_where_every_run_failed():
    nothing = {"score": None, "test_loss": None, "steps": 0, "steps_to_solve": None}
    empty = Curve(step=[], loss=[], score=[])
    records = [
        record(1000, rate, role="tuning", verdict="failed", reason="no", curve=empty, **nothing)
        for rate in (1e-3, 1e-2)
    ]
    assert choose_rate(records) == 1e-3


# Plans


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(tmp_path):
    store, heard = smoke(tmp_path / "out", models=["rnn", "lstm"], dry_run=True)
    said = [line for line in heard.lines if line.startswith("#")]
    assert said == [
        "# latch lag 6 rnn seeds 0,1: not known yet",
        "# latch lag 6 lstm seeds 0,1: not known yet",
        f"# 4 members in 2 jobs; 0 are measured already. About 0 s in {machine.count_cores()} workers, "
        "and 2 jobs of unknown length",
    ]
    assert list(tmp_path.iterdir()) == []
    smoke(tmp_path / "out", models=["rnn"])
    before = files(store)
    _, heard = smoke(tmp_path / "out", models=["rnn", "lstm"], seeds=3, dry_run=True, workers=1)
    said = [line for line in heard.lines if line.startswith("#")]
    assert re.match(r"# latch lag 6 lstm seeds 0,1,2: not known yet", said[0])
    assert re.match(r"# latch lag 6 rnn seeds 2: about \d+ s", said[1])
    assert "4 members in 2 jobs; 2 are measured already" in said[2]
    assert files(store) == before


def test_a_dry_run_prints_a_file_that_asks_for_the_same(tmp_path):
    what = {"models": ["rnn", "gru:hidden=9"], "seeds": 1, "scan": "reference"}
    _, heard = smoke(tmp_path / "out", **what, dry_run=True)
    file = tmp_path / "asked.toml"
    file.write_text("\n".join(heard.lines))
    spec = RunSpec.read(file)
    assert spec == RunSpec.of({"profile": "smoke", "tasks": ["latch"]} | what)
    store = run(spec, out=tmp_path / "out", engine="serial", listen=Recorder())
    assert {(r.unit.model, r.scan) for r in store.records()} == {
        ("rnn", "reference"),
        ("gru", "reference"),
    }
    assert store.specs() == {spec.id: spec}
    assert store.validate() == []
    changed = next(store.path.glob("specs/*.toml"))
    changed.write_text(changed.read_text().replace("seeds = 1", "seeds = 2"))
    assert "its content hashes to" in store.validate()[0]


def test_another_grid_is_another_specification_and_is_what_the_tables_name(tmp_path, tuned):
    store, heard = go(tmp_path / "out", grid=[1e-2, 3e-2, 1e-3], models=["rnn"], seeds=1)
    tuning = {m.learning_rate for m in heard.jobs[0].members}
    assert tuning == {1e-3, 1e-2, 3e-2}
    assert read_facts(store).rates == (1e-3, 1e-2, 3e-2)
    with pytest.raises(SpecificationDiffers):
        go(tmp_path / "out")
    _, heard = go(tmp_path / "out", grid=[3e-2, 1e-3, 1e-2], models=["rnn"], seeds=1)
    assert heard.jobs == []
    with pytest.raises(BadInput, match="profile 'smoke' tunes no learning rate; leave grid out"):
        smoke(tmp_path / "other", grid=[1e-3])
    with pytest.raises(BadInput, match="grid has a learning rate twice"):
        go(tmp_path / "other", grid=[1e-3, 1e-3])


def test_an_estimate_comes_from_what_is_most_alike():
    def known(task, model, seconds):
        unit = UNIT.model_copy(update={"task": task, "model": model})
        return record(unit=unit, cost=record().cost.model_copy(update={"seconds": seconds}))

    def job(task, model, lag=8, members=1):
        unit = UNIT.model_copy(update={"task": task, "model": model, "lag": lag})
        who = tuple(Member(seed=s, learning_rate=1e-2) for s in range(members))
        return Job(unit, who, PROVENANCE)

    there = [known("adding", "lstm", 8.0), known("latch", "lstm", 80.0), known("latch", "gru", 4.0)]
    # 80 of 100 steps took 8 s; all of them may take 10
    assert estimate_seconds(job("adding", "lstm"), there) == pytest.approx(10)
    assert estimate_seconds(job("adding", "lstm", members=3), there) == pytest.approx(30)
    assert estimate_seconds(job("adding", "lstm", lag=17), there) == pytest.approx(20)
    assert estimate_seconds(job("adding", "gru"), there) == pytest.approx(5)  # of another task
    assert estimate_seconds(job("adding", "rnn"), there) is None


def test_a_unit_is_what_the_profile_says():
    cell = next(c for c in SMOKE.list_conditions() if c.model == "transformer")
    unit = unit_of(cell, SMOKE)
    assert (unit.task, unit.lag, unit.model, unit.layers) == ("adding", 8, "transformer", 2)
    assert abs(unit.parameters - SMOKE.parameters) <= SMOKE.parameters // 10
    assert unit.budget == cell.setting.make_budget(tuned=False)
    wider = replace(SMOKE, parameters=2_000)
    assert unit_of(cell, wider).id != unit.id
    assert wider.specification != SMOKE.specification


def test_a_plan_counts_what_is_there():
    selection = select(RunSpec(profile="smoke", tasks=("latch",), models=("rnn",), device="cpu"))
    ahead = plan(selection, [])
    assert [len(job.members) for job in ahead.jobs] == [2]
    unit = ahead.jobs[0].unit
    ahead = plan(selection, [record(1, unit=unit)])
    assert [m.seed for m in ahead.jobs[0].members] == [0]
    assert ahead.done == 1


def test_the_specification_holds_what_all_cells_share():
    specifications = {
        profile.specification
        for profile in (
            SMOKE,
            replace(SMOKE, seeds=3),
            replace(SMOKE, tuned=True),
            replace(SMOKE, precision="float64"),
            replace(SMOKE, parameters=2_000),
        )
    }
    assert len(specifications) == 5
    fewer = replace(SMOKE, settings=SMOKE.settings[1:])
    assert fewer.specification == SMOKE.specification


def test_a_unit_holds_what_is_a_cell_s_own():
    setting = SMOKE.settings[0]
    units = {
        unit_of(Condition(setting, lag, model), SMOKE).id
        for setting in (setting, replace(setting, clip=2.0), replace(setting, steps=50))
        for lag in (8, 9)
        for model in ("lstm", "lstm:layers=2", "lstm:forget_bias=0.0", "gru")
    }
    assert len(units) == 3 * 2 * 4


def test_options_come_by_name_and_make_a_cell_of_its_own():
    cell = Condition(
        Setting("temporal-order:relevant=3", (30,), 10), 30, "lstm:layers=2:forget_bias=0.5"
    )
    unit = unit_of(cell, SMOKE)
    assert (unit.task, unit.task_options) == ("temporal-order", {"relevant": 3})
    assert (unit.model, unit.layers, unit.model_options) == ("lstm", 2, {"forget_bias": 0.5})
    assert unit.task_spelling == "temporal-order:relevant=3"
    assert unit.model_spelling == "lstm:forget_bias=0.5:layers=2"
    wrong = Condition(Setting("temporal-order:relevent=3", (30,), 10), 30, "lstm")
    with pytest.raises(
        BadInput, match=r"unknown option of task 'temporal-order' 'relevent'; did you mean"
    ):
        unit_of(wrong, SMOKE)


# Of these one hidden unit more is a large step.
COARSE = {"window_mlp:window=64": 0.04, "pixel_lstm": 0.021}


@pytest.mark.parametrize("profile", [profiles.QUICK, profiles.PAPER])
def test_compared_models_have_the_same_number_of_parameters_within_2_percent(profile):
    cells = {
        (cell.setting.task, cell.model): cell for cell in profile.list_conditions()
    }  # a lag of each
    for cell in cells.values():
        if not is_compatible(cell) or ":hidden=" in cell.model:
            continue
        unit = unit_of(cell, profile)
        task = TASKS[unit.task](unit.lag, **unit.task_options)
        model, _ = build(unit, task, [0], torch.device("cpu"))
        miss = COARSE.get(cell.model, 0.02)
        counted = choose_count(unit.counting)(model)
        assert counted == pytest.approx(unit.parameters, rel=miss), (cell.task, cell.model)
        assert unit.parameters == pytest.approx(profile.parameters, rel=0.1)


def test_quick_is_a_part_of_the_edition_at_rates_that_the_edition_chose():
    edition = {unit_of(cell, profiles.EDITION).id for cell in profiles.EDITION.list_conditions()}
    own = {unit_of(cell, profiles.QUICK).id for cell in profiles.QUICK.list_conditions()}
    assert own <= edition
    assert own <= profiles.QUICK.rates.keys()
    rows = {row["unit"]: row for row in json.loads(RATES.read_text("utf-8"))}
    clear = {unit: rows[unit]["solved"] in (0, rows[unit]["runs"]) for unit in own}
    assert all(clear.values())


def test_quick_runs_at_the_rate_of_its_file(tmp_path, monkeypatch):
    condition = next(iter(profiles.QUICK.list_conditions()))
    unit = unit_of(condition, profiles.QUICK)
    ask = RunSpec(profile="quick", tasks=["noisy-latch"], models=["echo_state"], lags=[6])
    (job,) = plan(select(ask), []).jobs
    assert job.unit == unit
    assert {m.learning_rate for m in job.members} == {profiles.QUICK.rates[unit.id]}
    other = RunSpec(
        profile="quick", tasks=["noisy-latch"], models=["rnn:activation=relu"], lags=[12]
    )
    (job,) = plan(select(other), []).jobs  # nobody has tuned it
    assert {m.learning_rate for m in job.members} == {3e-3}


def test_a_model_that_reads_both_ways_is_not_asked_step_by_step():
    cell = Condition(Setting("copy", (3,), 10), 3, "bilstm")
    assert not is_compatible(cell)
    with pytest.raises(
        BadInput, match="model 'bilstm' reads both ways, but task 'copy' asks step by step"
    ):
        unit_of(cell, SMOKE)
    assert is_compatible(Condition(Setting("latch", (3,), 10), 3, "bilstm"))


def test_parts_are_measured_in_their_order(tmp_path, monkeypatch):
    late = replace(SMOKE.settings[0], part="late", models=("rnn",))
    parted = replace(SMOKE, name="parted", settings=(late, SMOKE.settings[1]))
    monkeypatch.setitem(profiles.PROFILES, "parted", parted)
    heard = Recorder()
    store = run("parted", engine="serial", out=tmp_path / "out", listen=heard)
    assert parted.parts == ("late", "core")
    assert [job.unit.task for job in heard.jobs] == ["adding", "latch", "latch"]
    assert [cell.part for cell in store.plan()] == ["late", "core", "core"]
    only = run("parted", parts=["core"], engine="serial", out=tmp_path / "core")
    assert {r.unit.task for r in only.records()} == {"latch"}
    with pytest.raises(BadInput, match=r"unknown part 'cor'.*did you mean 'core'"):
        run("parted", parts=["cor"], out=tmp_path / "out")
    assert not set(TUNING_SEEDS) & set(range(profiles.PAPER.seeds))


# What a run says


def test_on_a_terminal_it_says_the_same_under_a_bar(tmp_path, monkeypatch):
    written = io.StringIO()
    live = Live()
    live.console = Console(file=written, force_terminal=True, width=60)
    smoke(tmp_path / "out", listen=live)
    smoke(tmp_path / "out", seeds=3, listen=live)
    smoke(tmp_path / "out", seeds=4, dry_run=True, listen=live)
    text = written.getvalue()
    assert "2 members are measured already and are skipped" in text
    assert "latch lag 6 rnn seeds 0,1: 2 solved" in text
    assert "member steps" in text


def test_elsewhere_it_says_plain_lines_on_standard_error(tmp_path, capsys):
    smoke(tmp_path / "out", models=["rnn", "lstm"], listen=Plain())
    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(r"\[1/2, about \d+ s left\] latch lag 6 rnn seeds 0,1: 2 solved \(\d", err)
    assert "[2/2, about 0 s left] latch lag 6 lstm" in err


def test_run_is_part_of_the_interface():
    assert seqbench.run is run


def test_a_class_that_no_worker_can_be_given_is_refused_before_anything_is_written(tmp_path):
    class Locked(user_defined.Last):
        """Holds what can't be pickled."""

        name = "locked"
        lock = threading.Lock()

    with pytest.raises(BadInput, match="worker processes can't be given locked: "):
        smoke(tmp_path / "out", models=[Locked])
    assert list(tmp_path.iterdir()) == []
