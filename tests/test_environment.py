"""What is written in several files about the environment, the version and the commands agrees."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import seqbench

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"pytorch": "torch"}  # conda-forge's name -> PyPI's
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ["bench", "test", "lint"]  # what the shared environment holds


def required(everywhere: bool = False) -> dict[str, SpecifierSet]:
    """Return the ranges of pyproject.toml by normalised name, those of the shared environment's extras included.

    ``everywhere`` leaves out what is for some systems only.
    """
    lines = list(PROJECT["dependencies"])
    for extra in EXTRAS:
        lines += PROJECT["optional-dependencies"][extra]
    requirements = [Requirement(line) for line in lines]
    return {
        canonicalize_name(r.name): r.specifier
        for r in requirements
        if not (everywhere and r.marker)
    }


def conda() -> dict[str, SpecifierSet]:
    """Return the ranges of environment.yml under the names of PyPI."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    requirements = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return {canonicalize_name(CONDA_NAMES.get(r.name, r.name)): r.specifier for r in requirements}


def pins(file: str) -> dict[str, Requirement]:
    lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found = {canonicalize_name(r.name): r for r in requirements}
    assert len(found) == len(requirements), f"{file} names a package twice"
    return found


def sessions() -> dict[str, str]:
    """Return the nox sessions with the first lines of their docstrings, without nox being installed here."""
    found = {}
    for node in ast.parse((ROOT / "noxfile.py").read_text()).body:
        if isinstance(node, ast.FunctionDef) and any(
            "session" in ast.unparse(d) for d in node.decorator_list
        ):
            found[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return found


def noxfile_constant(name: str) -> Any:
    for node in ast.parse((ROOT / "noxfile.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"noxfile.py has no {name}")


def test_conda_and_pyproject_name_the_same_packages_in_the_same_ranges():
    theirs = conda()
    python = theirs.pop("python")
    theirs.pop("pip")  # installs seqbench itself; not something that seqbench needs
    assert python == SpecifierSet(PROJECT["requires-python"])
    assert theirs == required(everywhere=True)  # a conda file has no markers


def test_conda_installs_this_folder_and_nothing_else_by_pip():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PROJECT["name"]
    assert "conda-forge" in environment["channels"]
    nested = [entry for entry in environment["dependencies"] if not isinstance(entry, str)]
    assert nested == [{"pip": ["-e ."]}]


@pytest.mark.parametrize("name", sorted(required()))
def test_constraint_satisfies_the_range(name):
    pin = pins("constraints.txt").get(name)
    assert pin is not None, f"constraints.txt does not pin {name}"
    (exact,) = pin.specifier
    assert exact.operator == "=="
    assert required()[name].contains(exact.version, prereleases=True)


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-book.txt"])
def test_constraints_are_exact_and_portable(file):
    for name, pin in pins(file).items():
        assert pin.url is None, f"{name} is taken from an address"
        (exact,) = pin.specifier
        assert exact.operator == "==", name
        assert Version(exact.version).local is None, f"{name} is the build of one machine"


def test_the_book_has_its_builder_and_never_torch():
    names = pins("constraints-book.txt")
    assert str(names["jupyter-book"].specifier) == "==1.0.4.post1"
    assert "torch" not in names
    assert "jupyter-book" not in pins("constraints.txt")


def imported(tree: ast.Module, nested: bool) -> set[str]:
    """Return the packages that a file imports at its top level, or with what its functions import too."""
    found = set()
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {PROJECT["name"]}


def test_what_is_imported_is_declared():
    def names(lines: list[str]) -> set[str]:
        return {canonicalize_name(Requirement(line).name) for line in lines}

    always = names(PROJECT["dependencies"])
    sometimes = always.union(*map(names, PROJECT["optional-dependencies"].values()))
    distributions = packages_distributions()
    for path in (ROOT / "seqbench").rglob("*.py"):
        tree = ast.parse(path.read_text())
        late = path.parent.name == "kernels"  # themselves imported by a function, where Triton is
        for nested, declared in [(False, sometimes if late else always), (True, sometimes)]:
            for package in imported(tree, nested):
                owners = {canonicalize_name(d) for d in distributions.get(package, [package])}
                assert owners & declared, f"{path.relative_to(ROOT)} imports {package}"


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == PROJECT["version"] == seqbench.__version__


def test_citation_has_what_the_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == PROJECT["license"]
    assert all(citation[key] for key in ("title", "message", "abstract", "keywords"))
    assert citation["authors"] == PROJECT["authors"] != []


def test_workflow_calls_sessions_that_exist_on_every_supported_python():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    called = re.findall(r"nox -s (\w+)", text)
    assert {"tests", "lint", "book"} <= set(called) <= set(sessions())

    supported = SpecifierSet(PROJECT["requires-python"])
    tested = jobs["tests"]["strategy"]["matrix"]["python"]
    assert tested == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported]
    classified = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python ::" in c]
    assert tested == classified

    assert set(jobs["publish"]["needs"]) == set(jobs) - {"publish"}
    for job in jobs.values():
        assert set(job.get("needs", [])) <= set(jobs)


def test_what_is_tested_is_the_code_beside_the_tests(tmp_path):
    """Also in a clone, though the environment knows seqbench as another checkout; also in what a test starts."""
    where = "import seqbench; print(seqbench.__file__)"
    started = subprocess.check_output([sys.executable, "-P", "-c", where], cwd=tmp_path, text=True)
    beside = ROOT.resolve() / "seqbench" / "__init__.py"
    assert [Path(seqbench.__file__).resolve(), Path(started.strip()).resolve()] == [beside] * 2


def test_ci_runs_what_the_readme_says():
    command = "python -m pip install nox && python -m nox -s {}"
    readme = (ROOT / "README.md").read_text()
    script = (ROOT / ".ci/run").read_text()
    assert command.format("tests") in readme
    assert command.format("tests") in script
    assert command.format("bench") in readme
    assert set(re.findall(r"nox -s (\w+)", readme + script)) <= set(sessions())


def test_every_session_says_what_it_does():
    assert {"bench", "tests", "lint", "book", "env"} <= set(sessions())
    assert f".[{','.join(EXTRAS)}]" in (ROOT / "noxfile.py").read_text()
    assert all(line.endswith(".") for line in sessions().values()), sessions()


def test_hooks_run_the_commands_of_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [shlex.split(hook["entry"]) for hook in hooks] == noxfile_constant("LINT")
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


def test_licences_are_there():
    for name in PROJECT["license-files"]:
        assert (ROOT / name).is_file()
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "Creative Commons Attribution 4.0 International" in (ROOT / "LICENSES.md").read_text()
