"""What installed packages add: listed and loaded like the house's own, and named where they are at fault."""

import json
import sys

import pytest
import torch

from seqbench import cli
from seqbench.errors import BadInput
from seqbench.measure import step, throughput
from seqbench.models import MODELS
from seqbench.models.facts import ModelCatalogue, ModelFacts

GROUP = "seqbench.models"
BUILTIN = {"rnn": ("seqbench.models.rnn:RNN", ModelFacts(recurrent=True))}
SOUND = '''"""A sound model.

More of it.
"""

from seqbench.models.base import Model


class Sound(Model):
    name = "sound"
    version = 3
    reads = "video"
    default_layers = 2

    def forward(self, x, answers):
        raise NotImplementedError
'''
PLAIN = '''"""A torch module with a name."""

from torch import nn


class Plain(nn.Module):
    name = "plain"
'''
MODULES = {
    "sound": SOUND,
    "plain": PLAIN,
    "broken": '"""A broken model."""\nraise RuntimeError("it fails\\nin two lines")\n',
    "garbled": "this is no Python\n",
    "inner/__init__": 'raise RuntimeError("the whole package fails")\n',
    "inner/model": '"""Never read."""\n',
}
POINTS = {
    "sound": "sound:Sound",
    "plain": "plain:Plain",
    "gone": "nowhere.at_all:Model",
    "lost": "sound:Lost",
    "broken": "broken:Model",
    "garbled": "garbled:Model",
    "inner": "inner.model:Model",
    "rnn": "sound:Sound",
}
FAULTS = {
    "gone": "ModuleNotFoundError: No module named 'nowhere'",
    "lost": "AttributeError: module 'sound' has no attribute 'Lost'",
    "broken": "RuntimeError: it fails",
    "garbled": "SyntaxError: invalid syntax (garbled.py, line 1)",
    "inner": "RuntimeError: the whole package fails",
}


def install(folder, package, points, group=GROUP):
    """Write what pip leaves of a package with entry points."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    for name, text in MODULES.items():
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    install(tmp_path, "strange", POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield ModelCatalogue(BUILTIN, GROUP)
    for name in MODULES:
        sys.modules.pop(name.partition("/")[0], None)


def of(name: str) -> str:
    return f"the entry point '{name} = {POINTS[name]}' of the package 'strange'"


def test_what_a_package_adds_is_listed_and_loaded(catalogue):
    assert list(catalogue) == ["rnn", *sorted(POINTS.keys() - BUILTIN)]
    assert len(catalogue) == len(POINTS)
    assert catalogue.summary("sound") == "A sound model."
    assert "sound" not in sys.modules
    assert catalogue["sound"].name == "sound"
    assert catalogue.is_user_defined("sound")
    assert not catalogue.is_user_defined("rnn")


def test_of_what_a_package_adds_the_facts_are_those_of_its_class(catalogue):
    assert catalogue.facts("rnn") == ModelFacts(recurrent=True)
    assert catalogue.facts("sound") == ModelFacts(version=3, reads="video", layers=2)


def test_what_is_no_model_is_refused_in_a_sentence(catalogue):
    sentence = (
        "model 'plain' is no seqbench.models.base.Model: derive from it (CONTRIBUTING.md), or adapt a module by "
        "seqbench.models.adapter.adapt"
    )
    with pytest.raises(BadInput) as loaded:
        catalogue["plain"]
    with pytest.raises(BadInput) as added:
        catalogue.add(sys.modules["plain"].Plain)
    assert str(loaded.value) == str(added.value) == sentence
    with pytest.raises(BadInput, match="model 'LSTM' is no seqbench"):
        catalogue.add(torch.nn.LSTM)
    assert catalogue.added == {}


@pytest.mark.parametrize("name", FAULTS)
def test_what_can_not_be_imported_is_named_with_its_package(catalogue, name):
    with pytest.raises(BadInput) as caught:
        catalogue[name]
    assert str(caught.value) == f"the model '{name}' can't be imported: {of(name)}: {FAULTS[name]}"


@pytest.mark.parametrize("name", ["gone", "inner"])
def test_a_list_says_what_can_not_be_found(catalogue, name):
    assert catalogue.summary(name) == f"can't be imported: {of(name)}: {FAULTS[name]}"
    assert catalogue.summary("garbled").startswith(
        f"can't be imported: {of('garbled')}: SyntaxError"
    )


def test_the_house_keeps_its_names_and_says_whose_entry_it_ignores(catalogue):
    assert catalogue["rnn"] is MODELS["rnn"]
    assert catalogue.summary("rnn").endswith(f" (ignored: {of('rnn')})")


def test_of_two_packages_one_is_taken(catalogue, tmp_path, monkeypatch):
    install(tmp_path / "other", "other", {"sound": "broken:Model"})
    monkeypatch.syspath_prepend(tmp_path / "other")
    assert catalogue.summary("sound") == (
        "A broken model. (ignored: the entry point 'sound = sound:Sound' of the package 'strange')"
    )


def test_the_commands_go_on_without_it(catalogue, monkeypatch, capsys):
    monkeypatch.setattr("seqbench.models.MODELS", catalogue)
    cli.listing.list_("models", as_json=True)
    about = {row["name"]: row["about"] for row in json.loads(capsys.readouterr().out)["models"]}
    assert about["sound"] == "A sound model."
    assert of("gone") in about["gone"]

    for module in (step, throughput):
        monkeypatch.setattr(module, "MODELS", catalogue)
    lines = []
    timing = throughput.Timing((12,), (2,), (1,), 1, phases=("inference",))
    steps = throughput.plan(["gone", "rnn"], timing, 1_000, "cpu", lines.append)
    assert {case.model for case, _ in steps} == {"rnn"}
    (line,) = lines
    assert line == (
        f"gone is not timed by the scan 'auto': the model 'gone' can't be imported: {of('gone')}: "
        f"{FAULTS['gone']}"
    )
