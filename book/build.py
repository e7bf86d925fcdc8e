"""Build the book in two steps, each in its own environment; nox -s book calls both.

``execute`` runs the notebooks on a results folder and writes the sources of the book; it needs seqbench. ``html`` makes
pages of them; it needs Jupyter Book, which pins an old Sphinx, and does not need seqbench.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqbench.records.schema import Manifest
    from seqbench.records.store import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = HERE / "_build"
NOTEBOOKS = [
    "intro",
    "accuracy",
    "beyond",
    "claims",
    "ledger",
    "inside",
    "throughput",
]  # and those of the tasks; the other pages have no code
COPIED = ["_toc.yml", "references.bib", "_assets"]
FILLED = ["models.md", "tasks.md", "protocol.md", "rerun.md", "extend.md", "cite.md"]


# execute: in the environment of seqbench


def execute(results: Path | None, profile: str) -> None:
    """Run the notebooks on a results folder and write the sources that Jupyter Book reads."""
    from seqbench.text import printable

    results = (
        results.resolve()
        if results
        else find_newest_edition() or ROOT / "results" / "local" / profile
    )
    print(printable(f"the book is built from {os.path.relpath(results)}"), flush=True)
    with TemporaryDirectory(dir=make_folder(BUILD)) as folder:
        source = Path(folder) / "source"
        source.mkdir()
        lay_out(source, results)
        names = NOTEBOOKS + sorted(f"notebooks/{file.stem}" for file in HERE.glob("notebooks/*.md"))
        with ProcessPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            jobs = [pool.submit(run, name, source, results) for name in names]
            for job in jobs:
                job.result()
        replace(source, BUILD / "source")


def find_newest_edition() -> Path | None:
    """Return the folder of the newest edition that is sealed; one that is still being measured is not shown."""
    from seqbench.records.store import Store

    found = [file.parent for file in ROOT.glob("results/*/manifest.json")]
    found = [path for path in found if Store(path).manifest().files]
    return max(
        found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)], default=None
    )


def run(name: str, source: Path, results: Path) -> None:
    """Run one notebook; anything that it writes to standard error is an error."""
    from seqbench.report import notebooks
    from seqbench.text import printable

    output = source / f"{name}.ipynb"
    parameters: dict[str, object] = {"results": str(results)}
    notebooks.execute(HERE / f"{name}.md", output, parameters)
    notebook = notebooks.read(output)
    if complaints := notebooks.list_stderr(notebook):
        lines = map(printable, "".join(complaints).splitlines())
        raise SystemExit("\n".join([f"{name} wrote to standard error:", *lines]))
    output.write_text(notebooks.normalise(notebook), "utf-8")


def lay_out(source: Path, results: Path) -> None:
    """Write all pages without code: copied, or made from docstrings, profiles and records."""
    from seqbench.records.store import Store

    store = Store(results)
    manifest = store.manifest() if store.exists else None
    copy_pages(source, manifest)
    make_pages(source)
    lay_out_tables(source / "_extra" / "tables", store if manifest else None)
    configure(source, manifest)


def copy_pages(source: Path, manifest: "Manifest | None") -> None:
    """Copy the pages that are written by hand, and fill in the facts that they leave open."""
    import pages

    from seqbench.protocol.profiles import PROFILES

    name = manifest.profile if manifest else "quick"
    profile = PROFILES.get(name)
    if manifest and profile and profile.specification != manifest.specification:
        profile = None  # the profile was changed since this edition was measured
    facts = pages.collect_facts(profile, name)
    for name in FILLED:
        text = (HERE / name).read_text("utf-8")
        (source / name).write_text(pages.fill(text, facts), "utf-8")
    for name in COPIED:
        copy = shutil.copytree if (HERE / name).is_dir() else shutil.copyfile
        copy(HERE / name, source / name)
    shutil.copyfile(ROOT / "CITATION.cff", source / "CITATION.cff")
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (source / "CONTRIBUTING.md").write_text(contributing[contributing.index("\n## ") :], "utf-8")
    shutil.copytree(
        pages.PACKAGE / "models", source / "_code", ignore=shutil.ignore_patterns("__pycache__")
    )


def make_pages(source: Path) -> None:
    """Make the pages of the models, and of the tasks that have no lesson, from their docstrings."""
    import pages

    references = pages.read_bibliography((HERE / "references.bib").read_text("utf-8"))
    for name in pages.MODELS.builtin:
        page = make_folder(source / "models") / f"{name}.md"
        page.write_text(pages.write_model_page(name, references), "utf-8")
    for name in set(pages.TASKS.builtin) - pages.LESSONS:
        page = make_folder(source / "tasks") / f"{name}.md"
        page.write_text(pages.write_task_page(name, references), "utf-8")


def lay_out_tables(folder: Path, store: "Store | None") -> None:
    """Write the tables of all editions, and of the shown results, each into a folder of its own."""
    from seqbench.errors import BadInput
    from seqbench.records.store import Store
    from seqbench.report.folder import check_tables, render_downloads
    from seqbench.report.results import Results

    editions = [Store(file.parent) for file in sorted(ROOT.glob("results/*/manifest.json"))]
    for edition in editions:
        if wrong := check_tables(edition):
            raise SystemExit("\n".join(wrong))
    for edition in editions if store else ():
        one, other = store.manifest(), edition.manifest()
        if one.edition == other.edition and one != other:
            raise BadInput(
                f"{store.path} calls itself edition {one.edition}, and is another than {edition.path}: "
                "the book can't have both"
            )
    for shown in [*editions, *([store] if store else [])]:
        place = folder / shown.manifest().edition
        assert place.resolve().parent == folder.resolve(), place  # whatever the manifest says
        for name, text in render_downloads(Results.read(shown)).items():
            (make_folder(place) / name).write_text(text, "utf-8")


def configure(source: Path, manifest: "Manifest | None") -> None:
    """Write the configuration, with a banner where results are not citable."""
    import pages
    import yaml

    config = yaml.safe_load((HERE / "_config.yml").read_text("utf-8"))
    if manifest and (warning := pages.write_warning(manifest)):
        config["sphinx"]["config"]["html_theme_options"]["announcement"] = warning
    (source / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")


def make_folder(folder: Path) -> Path:
    """Make a folder, if it does not exist; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def replace(new: Path, old: Path) -> None:
    """Replace an older folder by a new one."""
    if old.exists():
        shutil.rmtree(old)
    new.rename(old)


# html: in the environment of Jupyter Book


def build_html() -> None:
    """Make the pages from the sources; a warning is an error."""
    if not (BUILD / "source").is_dir():
        raise SystemExit("nothing to build: run book/build.py execute first")
    shutil.rmtree(BUILD / "html", ignore_errors=True)
    with TemporaryDirectory(dir=BUILD) as folder:
        source = Path(folder) / "source"
        shutil.copytree(BUILD / "source", source)
        copy_mathjax(make_folder(source / "_assets" / "mathjax"))
        start = "from jupyter_book.cli.main import main; main()"  # the package can't be run with -m
        strictly = ["-W", "-n", "--keep-going"]
        command = [sys.executable, "-c", start, "build", str(source), "--path-output", folder]
        done = subprocess.run([*command, *strictly], check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        replace(Path(folder) / "_build" / "html", BUILD / "html")


def copy_mathjax(folder: Path) -> None:
    """Copy MathJax from the package that ships it: one script that draws formulas without loading anything else."""
    shipped = {file.name: file for file in files("sphinx-mathjax-offline") or []}
    shutil.copyfile(Path(shipped["tex-svg.js"].locate()), folder / "tex-svg.js")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")  # MathJax, too, is under Apache-2.0


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("execute", help="run the notebooks (needs seqbench)")
    first.add_argument(
        "--results", type=Path, help="a results folder; the newest published edition if not given"
    )
    first.add_argument(
        "--profile", default="quick", help="whose local results to use where nothing is published"
    )
    commands.add_parser("html", help="make the pages (needs Jupyter Book)")
    chosen = parser.parse_args()
    if chosen.command == "html":
        build_html()
        return
    from seqbench.errors import BadInput
    from seqbench.text import printable

    try:
        execute(chosen.results, chosen.profile)
    except BadInput as error:
        print(printable(str(error)), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
