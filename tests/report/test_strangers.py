"""A folder from a stranger shows what it says, and does nothing: in no page, table, figure, file or terminal."""

import ast
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from io import StringIO
from pathlib import Path
from unicodedata import normalize

import made
import pytest
import yaml
from hostile import (
    BASELINE,
    CONTROLS,
    PAYLOAD,
    RUNG,
    SYSTEM,
    spoiled,
)
from markdown_it import MarkdownIt

from seqbench import cli
from seqbench.ledger.rows import ONLINE
from seqbench.records.schema import Planned, Probe
from seqbench.records.store import Store
from seqbench.report import notebooks
from seqbench.report.cite import write_bibtex, write_ris
from seqbench.report.drawing import write_svg
from seqbench.report.facts import collect_facts
from seqbench.report.figures.horizons import plot_horizons
from seqbench.report.figures.runs import plot_learning_curves, plot_scores
from seqbench.report.folder import write_tables
from seqbench.report.page import Html, Page, Text
from seqbench.report.results import Results, make_frame
from seqbench.report.table import FORMATS, Table
from seqbench.text import ACCENTS, SIGNS, label, printable, shorten, tex

from .conftest import PLAN, RECORDS, STEP_TIMES, TUNING, unit

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
sys.path.insert(0, str(BOOK))
build, pages = import_module("build"), import_module("pages")
JUPYTER_BOOK = next(
    filter(
        Path.is_file,
        (
            folder / "jupyter-book"
            for folder in (ROOT / ".nox/book/bin", *map(Path, os.get_exec_path()))
        ),
    ),
    None,
)
OF_A_TABLE = {"table", "thead", "tbody", "tr", "th", "td", "p"}
PLAIN = {  # where a reader of a page may find typographic signs instead
    "“": '"', "”": '"', "‘": "'", "’": "'", "–": "--", "—": "---", "…": "...",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a sealed folder with the payload in every text that may hold it."""
    system = spoiled(SYSTEM)
    whose = {"system": system.id}
    manifest = PLAN.make_manifest(edition="stranger").model_copy(update={"specification": "f" * 16})
    store = Store(tmp_path_factory.mktemp("strangers") / "folder").create(manifest)
    store.add_system(system)
    units = {each.unit.id: each.unit for each in RECORDS}
    store.write_plan(
        spoiled(
            Planned(unit=u, part="core", seeds=2, rung=RUNG.model_copy(update={"value": u.lag}))
        )
        for u in units.values()
    )
    for r in (*RECORDS, *TUNING):
        store.append([spoiled(r, provenance=r.provenance.model_dump() | whose)])
    store.add_throughput("all", [spoiled(t, **whose) for t in STEP_TIMES])
    store.add_comparisons("all", [spoiled(made.comparison(), **whose)])
    store.add_baselines([spoiled(BASELINE, **whose)])
    store.add_trials("hs97-reber", [spoiled(made.trial(ONLINE["hs97-reber"]), **whose)])
    probe = made.probe(unit=unit(), series={"hidden": [1.0, 0.5, 0.25]}).model_dump() | whose
    store.add_probes("all", [spoiled(Probe(**probe | {"moment": m})) for m in ("start", "end")])
    store.write_facts(spoiled(collect_facts()))
    write_tables(store)
    store.seal()
    return store.path


@pytest.fixture
def stranger(folder, monkeypatch, tmp_path) -> Iterator[Store]:
    """Return a copy of the folder; what the payload runs would leave a file ``ran`` here."""
    monkeypatch.chdir(tmp_path)
    yield Store(shutil.copytree(folder, tmp_path / "folder"))
    assert not list(tmp_path.rglob("ran"))


class Markup(HTMLParser):
    """The tags, attributes and texts of a page; what a script says is no text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text, self.scripts = set(), [], "", ""
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.inside = tag
        self.tags.add(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside in ("script", "style"):
            self.scripts += data
        else:
            self.text += data

    def harmless(self) -> None:
        """Assert that nothing of the payload has become markup."""
        assert "alert(1)" not in self.scripts
        for name, value in self.attributes:
            assert not (name.startswith("on") and "alert(1)" in value), (name, value)
            if name in ("href", "src", "action"):
                assert not re.search(r"alert\(1\)|javascript:alert|//a\.b", value or ""), value


# What is shown


def test_nothing_is_wrong_with_free_texts(stranger, call):
    assert call("validate", stranger.path) == (0, f"{stranger.path}: nothing is wrong\n")
    changed = next(stranger.path.glob("records/*/*.jsonl"))
    changed.write_text(changed.read_text().replace("alert(1)", "alert(2)"))
    assert call("validate", stranger.path)[0] == 1


def test_the_payload_is_in_every_table_that_can_hold_it(stranger):
    holding = {table.id for table in Results.read(stranger).tables if shown(table)}
    assert holding == {"T1", "T2", "T4", "T5", "T6", "T7", "T10", "T14"}


def test_tables_are_literal_in_html(stranger):
    for table in Results.read(stranger).tables:
        read = Markup(table.html())
        assert read.tags <= {"div", "caption", "span", *OF_A_TABLE}
        assert {name for name, _ in read.attributes} <= {"class", "colspan", "rowspan", "title"}
        assert read.text.count(PAYLOAD) == shown(table)


def shown(table: Table) -> int:
    """Return how often a table shows the payload."""
    cells = [c.write_text(row) for row in table.rows for c in table.displayed_columns]
    return "".join([*cells, *table.notes]).count(PAYLOAD)


def test_tables_are_literal_in_csv_and_json(stranger):
    for table in Results.read(stranger).tables:
        ((_, *rows),) = [list(csv.reader(StringIO(table.csv())))]
        said = json.loads(table.json())["rows"]
        assert [len(row) for row in rows] == [len(table.columns)] * len(table.rows)
        for row, values in zip(rows, said, strict=True):
            for text, value in zip(row, values.values(), strict=True):
                assert not isinstance(value, str) or text == value


def test_what_a_spreadsheet_would_compute_is_a_text_in_csv(make_store):
    system = SYSTEM.model_copy(update={"processor": "=1+1", "accelerator": "-2"})
    store = make_store()
    store.add_system(system)
    (table,) = [t for t in Results.read(store).tables if t.id == "T5"]
    rows = {row["system"]: row for row in csv.DictReader(StringIO(table.csv()))}
    assert rows[system.id]["processor"] == "'=1+1"
    assert rows[system.id]["accelerator"] == "'-2"


OF_A_LONGTABLE = (
    r"""\begin \end \caption \label \toprule \midrule \bottomrule \endhead \multicolumn \cmidrule"""
)
OF_A_SIGN = r"""\textbackslash \textbraceleft \textbraceright \textasciitilde \textasciicircum \textbar \textless
\textgreater \textendash \textquotedblleft \textquotedblright \texttt \char \ldots \pm \mu"""


def test_tables_are_literal_in_latex(stranger):
    for table in Results.read(stranger).tables:
        text = table.tex()
        assert set(re.findall(r"\\[a-zA-Z]+", text)) <= {
            *OF_A_LONGTABLE.split(),
            *OF_A_SIGN.split(),
        }
        assert not re.search(r"(?<!\\)%", text.partition("\n\\begin")[2])
        cells = [c.write_text(row) for row in table.rows for c in table.displayed_columns]
        assert text.count(tex(PAYLOAD)) == "".join(cells).count(PAYLOAD)


def test_a_reference_is_one_entry_and_one_record(stranger):
    for reference in (table.reference for table in Results.read(stranger).tables):
        hard = reference._replace(title=PAYLOAD + CONTROLS, edition=PAYLOAD)
        for each in (reference, hard):
            entry, record = write_bibtex(each), write_ris(each)
            body = entry.split("\n", 1)[1]
            assert len(re.findall("^@", entry, re.MULTILINE)) == 1
            assert body.count("{") == body.count("}") - 1
            assert not re.search(r"(?<!\\)%|\\(input|write)", body)
            lines = record.splitlines()
            assert [line[:6] for line in lines if line[:2] in ("TY", "ER")] == ["TY  - ", "ER  - "]
            assert all(re.match("[A-Z][A-Z0-9]  - ", line) for line in lines)


TEX = shutil.which("pdflatex")


@pytest.mark.skipif(TEX is None, reason="there is no pdflatex here")
@pytest.mark.parametrize(
    "name", [pytest.param("2026.1", marks=pytest.mark.slow), "preview", "stranger"]
)
def test_tables_are_set_by_latex(name, stranger, tmp_path):
    folders = {
        "2026.1": ROOT / "results" / "2026.1",
        "preview": ROOT / "tests" / "editions" / "preview",
    }
    store = stranger if name == "stranger" else Store(folders[name])
    set_by_latex(
        "\\clearpage\n".join(table.tex() for table in Results.read(store).tables), tmp_path
    )


@pytest.mark.skipif(TEX is None, reason="there is no pdflatex here")
def test_every_sign_is_set_by_latex(tmp_path):
    accents = "".join(normalize("NFC", f"{a}{mark}") for mark in ACCENTS for a in "aceinosuyzACEG")
    set_by_latex("\n\n".join(map(tex, [*SIGNS, *accents, "漢", CONTROLS])), tmp_path)


def set_by_latex(body: str, tmp_path: Path) -> None:
    """Assert that LaTeX sets it, with two packages, and lacks no sign."""
    head = "\\documentclass{article}\\usepackage{booktabs,longtable}\\begin{document}\n"
    (tmp_path / "all.tex").write_text(f"{head}{body}\\end{{document}}\n")
    command = [str(TEX), "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "all"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "all.log").read_text(errors="replace")


def test_tables_reach_a_terminal_as_text(stranger, call, monkeypatch):
    for table in Results.read(stranger).tables:
        code, out = call("report", table.id, stranger.path)
        assert code == 0
        assert not [line for line in out.splitlines() if line != printable(line)]
    monkeypatch.setattr(cli.terminal, "WIDE", 5000)  # else cells are folded
    assert PAYLOAD in call("report", "T5", stranger.path)[1]
    rows = json.loads(call("report", "T5", stranger.path, "--json")[1])["machines"]
    assert [row["processor"] for row in rows] == [PAYLOAD]


def test_an_answer_is_text_whatever_its_rows_say(capsys):
    cli.terminal.answer(
        {"some": [{"what": CONTROLS}, {"what": "[red]r[/red] :smile:"}]}, as_json=False
    )
    out = capsys.readouterr().out
    assert not [line for line in out.splitlines() if line != printable(line)]
    assert "[red]r[/red] :smile:" in out


def test_a_list_of_tables_is_text_whatever_an_index_says(stranger, call, tmp_path):
    shutil.copytree(stranger.path, tmp_path / "results" / "copy")
    file = tmp_path / "results" / "copy" / "tables" / "index.json"
    rows = json.loads(file.read_text())
    hard = [row | {"edition": CONTROLS, "title": CONTROLS, "citable": CONTROLS} for row in rows]
    file.write_text(json.dumps(hard))
    for how in ((), ("--json",)):
        code, out = call("list", "tables", *how)
        assert code == 0
        assert not [line for line in out.splitlines() if line != printable(line)]


def test_a_machine_under_a_name_that_is_no_hash_is_text_as_well(make_store, call):
    store = make_store()
    name = f"{CONTROLS}<b>|{{{{ 1 }}}}"
    (store.path / "systems" / f"{name}.json").write_text(f"{SYSTEM.canonical()}\n")
    assert call("validate", store.path)[0] == 1
    for out in (call("report", "T5", store.path)[1], call("validate", store.path)[1]):
        assert not [line for line in out.splitlines() if line != printable(line)]
    (table,) = [t for t in Results.read(store).tables if t.id == "T5"]
    for text in (form.write(table) for form in FORMATS.values()):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
    assert "b" not in Markup(table.html()).tags
    assert len(list(csv.reader(StringIO(table.csv())))) == 1 + len(table.rows)


def test_figures_show_it_as_text(stranger):
    runs = make_frame(Results.read(stranger).reporting)
    drawn = {
        "scores": plot_scores(runs, "adding"),
        "curves": plot_learning_curves(runs, "adding"),
    }
    for name, figure in drawn.items():
        root = ET.fromstring(write_svg(figure, name, PAYLOAD))
        texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
        assert shorten(PAYLOAD, 60) in texts
        assert root.attrib["aria-label"] == PAYLOAD


def test_the_figure_of_horizons_shows_a_knob_as_text(stranger):
    (table,) = [t for t in Results.read(stranger).tables if t.id == "T15"]
    root = ET.fromstring(write_svg(plot_horizons(table.frame), "horizons", PAYLOAD))
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert label(f"adding: {PAYLOAD}, {PAYLOAD}") in texts


@pytest.mark.parametrize("label", ["$x$ #1b1b1b", 'a id="b" font: 10px c; #0072b2', "漢字"])
def test_a_label_is_left_as_it_is(make_store, label):
    runs = make_frame(Results.read(make_store()).reporting).assign(measure=label)
    root = ET.fromstring(write_svg(plot_scores(runs, "adding"), "scores", "scores"))
    assert label in [
        "".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")
    ]


# The book


def outputs(name: str, results: Path) -> Iterator[object]:
    """Yield what the cells of a page put out, run here and not in a kernel."""
    within: dict[str, object] = {}
    for cell in notebooks.read(BOOK / f"{name}.md").cells:
        if cell.cell_type != "code":
            continue
        *first, last = ast.parse(cell.source).body
        if "parameters" in cell.metadata.get("tags", []) or not isinstance(last, ast.Expr):
            exec(cell.source, within)
            within["results"] = str(results)
            continue
        exec(compile(ast.Module(first, []), name, "exec"), within)
        yield eval(compile(ast.Expression(last.value), name, "eval"), within)


NAMES = [*build.NOTEBOOKS, "notebooks/adding"]
SAID = {"intro", "claims", "ledger", "notebooks/adding"}  # pages with the payload in a sentence


@pytest.mark.parametrize("name", NAMES)
def test_pages_show_it_as_text(name, stranger):
    found = list(outputs(name, stranger.path))
    sentences = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    said = "\n".join(each.markdown for each in found if isinstance(each, Text))
    read = Markup(sentences.render(said))
    read.harmless()
    assert read.tags <= {"ul", "li", "strong", "em", "code", "a", *OF_A_TABLE}
    hrefs = {value for key, value in read.attributes if key == "href"}
    known = {f"notebooks/{task}.html" for task in pages.LESSONS}
    known |= {f"tasks/{task}.html" for task in pages.TASKS.builtin}
    assert hrefs <= known | {"inside.html", "throughput.html"}
    assert (PAYLOAD in read.text) == (name in SAID)
    for each in found:
        if isinstance(each, Html | Table):
            Markup(each._repr_html_()).harmless()


def test_a_guest_has_no_page_and_no_link(make_store):
    guest = RECORDS[2].unit.model_copy(update={"task": "echo"})
    run = RECORDS[2].model_copy(update={"unit": guest, "unit_id": guest.id})
    text = Page(make_store([*RECORDS, run]).path).overview().markdown
    assert "| echo | lag 10 |" in text
    assert text.count("](") == 1


def test_the_sources_of_the_book_say_nothing_of_a_stranger_but_in_tables(
    stranger, tmp_path, monkeypatch
):
    root, source = tmp_path / "root", tmp_path / "source"
    for name in ("CITATION.cff", "CONTRIBUTING.md"):  # without the published editions
        shutil.copyfile(ROOT / name, build.make_folder(root) / name)
    monkeypatch.setattr(build, "ROOT", root)
    build.lay_out(build.make_folder(source), stranger.path)
    for file in source.rglob("*"):
        if file.is_file() and "_extra" not in file.parts:
            assert "cycler" not in file.read_text("utf-8", errors="replace"), file
    config = yaml.safe_load((source / "_config.yml").read_text())
    assert "substitution" not in config["parse"]["myst_enable_extensions"]
    sphinx = config["sphinx"]["config"]
    assert sphinx["nb_render_markdown_format"] == "gfm"
    assert sphinx["html_theme_options"]["announcement"].startswith(
        "An edition that is still being measured, profile made:"
    )
    written = {file.relative_to(source) for file in source.glob("_extra/**/*") if file.is_file()}
    tables = Path("_extra", "tables", "stranger")
    forms = [form.ending for form in FORMATS.values()]
    made = {f"{table.id}.{ending}" for table in Results.read(stranger).tables for ending in forms}
    assert written == {tables / name for name in (*made, "index.json")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of papermill and the kernel's client are not ours
@pytest.mark.skipif(JUPYTER_BOOK is None, reason="there is no Jupyter Book here: nox -s book")
def test_the_book_of_a_stranger_is_built_and_shows_it_as_text(stranger, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    build.execute(stranger.path, "quick")
    code = "import sys, build; from pathlib import Path; build.BUILD = Path(sys.argv[1]); build.build_html()"
    subprocess.run(
        [str(JUPYTER_BOOK.parent / "python"), "-c", code, str(tmp_path / "build")],
        env=os.environ | {"PYTHONPATH": str(BOOK)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    holding = set()
    for page in (tmp_path / "build" / "html").rglob("*.html"):
        read = Markup(page.read_text("utf-8"))
        read.harmless()
        assert "3703701" not in read.text, page  # the product in the payload
        text = "".join(PLAIN.get(sign, sign) for sign in read.text)
        if PAYLOAD in text:
            holding.add(page.stem)
        assert text.count("cycler.__init__") == text.count(PAYLOAD[:50]), page
    assert {"intro", "adding", "accuracy", "throughput", "T5"} <= holding
