"""Workers: what they answer, and that none is left behind, however a run ends."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest
import torch
import user_defined
from made import PROVENANCE, UNIT

from seqbench.errors import BadInput
from seqbench.measure import executors
from seqbench.measure.executors import BOOTSTRAP, Worker, run_processes, serve
from seqbench.measure.job import Job
from seqbench.measure.runs import run
from seqbench.records.schema import Member
from seqbench.records.store import Store

from .test_runs import Recorder, alone, same, smoke  # noqa: F401  a fixture for all of this file

JOB = Job(UNIT, (Member(seed=0, learning_rate=1e-2),), PROVENANCE)
PATIENCE = 120  # seconds for what comes at once on an idle machine: long enough for a busy one


# What a worker answers


@pytest.fixture
def line(monkeypatch):
    """A line to a worker that is a thread of this process, and measures nothing."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(executors, "make_deterministic", lambda: None)
    thread = threading.Thread(target=serve, args=(theirs.detach(),))
    thread.start()
    with Connection(ours.detach()) as line:
        yield line
    thread.join(timeout=PATIENCE)
    assert not thread.is_alive()


def test_steps_and_then_records(line, monkeypatch):
    def two_steps(job, progress):
        progress(10)
        progress(20)
        return [job.unit.id]

    monkeypatch.setattr(executors, "measure", two_steps)
    for _ in range(2):
        line.send(JOB)
        assert [line.recv() for _ in range(3)] == [
            ("step", 10), ("step", 20), ("records", [UNIT.id]),
        ]  # fmt: skip


def test_an_exception_that_cannot_be_pickled_is_told_in_words(line, monkeypatch):
    class Unspeakable(Exception):
        def __init__(self, one, two):
            super().__init__(lambda: None)

    def fail(job, progress):
        raise Unspeakable(1, 2)

    monkeypatch.setattr(executors, "measure", fail)
    line.send(JOB)
    kind, error = line.recv()
    assert kind == "error"
    assert isinstance(error, RuntimeError)
    assert "in a worker process: Traceback" in str(error)
    assert "Unspeakable" in str(error)


def test_bad_input_stays_bad_input(line, monkeypatch):
    def refuse(job, progress):
        raise BadInput("choose the scan 'reference'")

    monkeypatch.setattr(executors, "measure", refuse)
    line.send(JOB)
    kind, error = line.recv()
    assert kind == "error"
    assert isinstance(error, BadInput)
    assert str(error) == "choose the scan 'reference'"


def test_a_worker_that_lost_its_device_ends(line, monkeypatch, capsys):
    ended = []

    def lose(job, progress):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def end(code):
        ended.append(code)
        raise EOFError  # as good an end as any for a thread

    monkeypatch.setattr(executors, "measure", lose)
    monkeypatch.setattr(os, "_exit", end)
    line.send(JOB)
    while not ended:
        time.sleep(0.01)
    assert ended == [1]
    assert "illegal memory access" in capsys.readouterr().err


def test_a_job_for_a_dead_worker_is_heard_of_at_the_line():
    worker = Worker.start(JOB)
    worker.process.kill()
    worker.process.wait()
    for _ in range(3):
        worker.send(JOB)
    with pytest.raises((EOFError, ConnectionError)):
        worker.line.recv()
    worker.stop()


def test_classes_that_a_worker_cannot_load_are_a_failure_of_their_job_alone():
    broken = Job(UNIT, JOB.members, PROVENANCE, classes=b"nothing that was ever pickled")
    ((_, (record,)),) = run_processes([broken], 1, lambda job, step: None)
    assert record.verdict == "failed"
    assert record.reason.startswith("UnpicklingError: ")
    assert psutil.Process().children() == []


def test_a_scan_that_a_model_has_not_is_bad_input_and_no_record(tmp_path):
    with pytest.raises(BadInput, match="torch has no kernel for"):
        smoke(tmp_path / "out", models=["lstm_peephole"], scan="native")
    assert Store(tmp_path / "out").records() == []


# How a run ends


class Impatient(Recorder):
    """Presses Ctrl-C when the first job is done."""

    def done(self, job, records):
        raise KeyboardInterrupt


def test_ctrl_c_between_jobs_leaves_no_worker_behind(tmp_path):
    what = {"models": ["rnn", "lstm", "gru"], "engine": "processes", "workers": 2}
    with pytest.raises(KeyboardInterrupt):
        smoke(tmp_path / "out", **what, listen=Impatient())
    assert psutil.Process().children() == []
    assert len(Store(tmp_path / "out").records()) == 2  # the first job's records are kept


LONG = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it, and so would this one
sys.path.insert(0, sys.argv[2])
from user_defined import Sleepy
from seqbench.measure.runs import run
run("smoke", tasks=["latch", "adding"], models=[Sleepy], workers=2, out=sys.argv[1])
"""


@pytest.fixture
def long_run(tmp_path):
    """A run with two workers at work, in a process group of its own."""
    at_work = tmp_path / "at work"
    at_work.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, str(tmp_path / "out"), str(Path(__file__).parents[1])],
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"SEQBENCH_TEST_MARK": str(at_work)},
    )
    with process:
        while len(list(at_work.iterdir())) < 2 and process.poll() is None:
            time.sleep(0.1)
        team = psutil.Process(process.pid).children()
        yield process, team
        for person in team:
            if person.is_running():
                person.kill()
        process.kill()


def test_ctrl_c_ends_the_run_and_its_workers_at_once_and_quietly(long_run):
    process, team = long_run
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=PATIENCE)
    assert len(team) == 2
    assert not [person for person in team if person.is_running()]
    assert process.returncode == -signal.SIGINT
    assert err.count(b"Traceback") == err.count(b"KeyboardInterrupt") == 1


def test_workers_end_when_their_run_is_killed(long_run):
    process, team = long_run
    process.kill()
    process.wait()
    assert len(team) == 2
    _, left = psutil.wait_procs(team, timeout=PATIENCE)
    assert left == []


def test_a_worker_whose_run_is_gone_ends_also_while_it_imports_torch(tmp_path):
    (tmp_path / "torch.py").write_text("import time\ntime.sleep(600)\n")
    path = os.pathsep.join([str(tmp_path), str(Path(executors.__file__).parents[2])])
    someone_else = os.getpid() + 1
    done = subprocess.run(
        [sys.executable, "-P", "-c", BOOTSTRAP.format(line=0, parent=someone_else)],
        env=os.environ | {"PYTHONPATH": path},
        timeout=PATIENCE,
    )
    assert done.returncode == 1


# Dask


def test_a_dask_cluster_gives_the_same_records_and_loses_one_that_kills_its_worker(tmp_path):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    models = ["rnn", user_defined.Deadly]
    here, _ = smoke(tmp_path / "here", models=["rnn"])
    there, heard = smoke(tmp_path / "there", models=models, engine="dask", workers=2)
    found = {(r.unit.model, r.member.seed): r for r in there.records()}
    assert sorted(found) == [("deadly", 0), ("deadly", 1), ("rnn", 0), ("rnn", 1)]
    assert same(here) == sorted(
        r.serialise_reproducible() for (name, _), r in found.items() if name == "rnn"
    )
    assert found["deadly", 0].verdict == "not_solved"
    assert found["deadly", 1].verdict == "failed"
    assert found["deadly", 1].reason == "its worker process ended"
    assert len(heard.jobs) == 3
    left = psutil.Process().children()
    assert not [who for who in left if "resource_tracker" not in " ".join(who.cmdline())]


def test_without_dask_the_engine_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadInput, match=r"pip install 'seqbench\[cluster\]'"):
        run("smoke", tasks=["latch"], models=["rnn"], out=tmp_path / "out", engine="dask")
