import ast
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.report import notebooks
from seqbench.report.page import text
from seqbench.tasks import TASKS

BOOK = Path(__file__).parents[2] / "book"
PARAMETERS = ["profile", "device", "models", "seeds", "results", "run"]

sys.path.insert(0, str(BOOK))
pages = import_module("pages")  # the book's own
LESSONS = [task for task in TASKS.builtin if task in pages.LESSONS]
OTHERS = [task for task in TASKS.builtin if task not in pages.LESSONS]


def text_of(task: str) -> str:
    return (BOOK / "notebooks" / f"{task}.md").read_text("utf-8")


def docstring_of(catalogue, name: str) -> str:
    return ast.get_docstring(
        ast.parse(pages.find_module_file(catalogue.builtin, name).read_text("utf-8"))
    )


def test_every_task_has_a_page_and_every_page_is_in_the_contents():
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    listed = [entry["file"] for entry in chapters]
    listed += [section["file"] for chapter in chapters for section in chapter.get("sections", [])]
    for folder, tasks in (("notebooks", LESSONS), ("tasks", OTHERS)):
        assert [name for name in listed if name.startswith(f"{folder}/")] == [
            f"{folder}/{t}" for t in tasks
        ]
    assert [name for name in listed if name.startswith("models/")] == [
        f"models/{m}" for m in MODELS.builtin
    ]


def test_results_link_to_the_notebooks_that_there_are():
    assert text.LESSONS == pages.LESSONS


@pytest.mark.parametrize("task", LESSONS)
def test_a_notebook_has_the_parameters_and_runs_its_own_task(task):
    notebook = notebooks.read(BOOK / "notebooks" / f"{task}.md")
    assert notebooks.list_parameters(notebook) == PARAMETERS
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert sources[1].startswith(f'TASK = "{task}"\nif run:\n')
    assert "tasks=[TASK], models=models, seeds=seeds, device=device, out=results" in sources[1]
    assert all(len(source.splitlines()) <= 6 for source in sources)


@pytest.mark.parametrize("task", LESSONS)
def test_the_drawn_example_is_that_of_the_code(task):
    docstring = docstring_of(TASKS, task)
    (drawn,) = re.findall(r"```text\n(.*?)\n```", text_of(task), re.DOTALL)
    block = "\n".join(f"    {line}".rstrip() for line in drawn.splitlines())
    assert block in docstring


@pytest.mark.parametrize("task", LESSONS)
def test_what_the_code_names_as_source_is_cited(task):
    references = pages.read_bibliography((BOOK / "references.bib").read_text("utf-8"))
    source = docstring_of(TASKS, task).partition("Source: ")[2]
    named = set(re.findall(r"\{cite:\w+\}`(\w+)`", pages.link_citations(source, references)))
    assert named <= set(re.findall(r"\{cite:\w\}`(\w+)`", text_of(task)))
    assert named


@pytest.mark.parametrize("task", LESSONS)
def test_no_result_is_typed(task):
    words = text_of(task).partition("## What to see")[2].partition("```{code-cell}")[0]
    words = re.sub(r"\{cite:\w\}`\w+`", "", words)
    assert words.strip()
    assert not re.search(r"\d", words)


# The pages of the other tasks


@pytest.mark.parametrize("task", OTHERS)
def test_a_task_page_has_a_drawn_example_and_links_to_its_source(task):
    references = pages.read_bibliography((BOOK / "references.bib").read_text("utf-8"))
    page = pages.write_task_page(task, references)
    assert page.startswith(f"# {task}\n")
    assert "```text\n" in page
    assert ":math:" not in page
    assert re.search(r"Source: .*\{cite:\w+\}", page, re.DOTALL)
    assert re.findall(r"[A-Z]\w+ (?:et al\. )?\(\d{4}\)", page) == []


# The pages of the models


def test_authors_are_known_by_every_way_to_name_them():
    references = pages.read_bibliography((BOOK / "references.bib").read_text("utf-8"))
    assert references["Elman (1990)"] == "elman1990"
    assert references["Le, Jaitly and Hinton (2015)"] == references["Le et al. (2015)"] == "le2015"
    assert references["Delétang et al. (2023)"] == "deletang2023"
    assert references["Gers, Schmidhuber and Cummins (2000)"] == "gers2000forget"
    assert references["Gers and Schmidhuber (2000)"] == "gers2000"


@pytest.mark.parametrize("model", MODELS.builtin)
def test_a_model_page_has_the_equations_above_the_code(model):
    references = pages.read_bibliography((BOOK / "references.bib").read_text("utf-8"))
    page = pages.write_model_page(model, references)
    assert page.startswith(f"# {model}\n")
    assert page.index("```{math}") < page.index("```{literalinclude}")
    assert "``" not in page.replace("```", "")
    assert ":math:" not in page
    unlinked = re.findall(
        r"[A-Z]\w+ (?:et al\. )?\(\d{4}\)", page
    )  # each would be an entry that is missing
    assert unlinked == []


def test_restructured_text_becomes_markdown():
    text = "It is ``f``, :math:`x^2`. ::\n\n    a  b\n\nThen\n\n.. math::\n    c &= d \\\\\n    e &= f\n\nEnd.\n"
    assert pages.convert_to_markdown(text) == (
        "It is `f`, $x^2$.\n\n```text\na  b\n```\n\nThen\n\n"
        "```{math}\n\\begin{aligned}\nc &= d \\\\\ne &= f\n\\end{aligned}\n```\n\nEnd.\n"
    )


# Running them


SMALL = """\
```{code-cell}
:tags: [parameters]

results = "nowhere"
task = "adding"
```

```{code-cell}
from seqbench.errors import BadInput
from seqbench.records.store import Store
import matplotlib, pathlib
print("looking at", task)
print("a list of fonts:", any(pathlib.Path(matplotlib.get_cachedir()).glob("fontlist-*")))
Store(results).manifest().edition
```
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Return a small notebook; the home directory is empty, as on a fresh machine."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "small.md"
    file.write_text(SMALL)
    return file


@pytest.mark.filterwarnings("ignore")  # those of papermill and the kernel's client are not ours
@pytest.mark.slow
def test_a_notebook_of_the_book_shows_what_was_measured(store, small, tmp_path):
    output = tmp_path / "out" / "adding.ipynb"
    notebooks.execute(BOOK / "notebooks" / "adding.md", output, {"results": str(store.path)})
    notebook = notebooks.read(output)
    assert notebooks.list_stderr(notebook) == []
    text = notebooks.normalise(notebook)
    assert "Length of 10 steps: all seeds of lstm solved" in text
    assert text.count("<svg") == 4
    assert str(tmp_path) not in text
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_two_runs_are_the_same_bytes_and_output_passes_through(store, small, tmp_path, capsys):
    texts = []
    for name in ("one.ipynb", "two.ipynb"):
        notebooks.execute(small, tmp_path / name, {"results": str(store.path), "task": "copy"})
        assert "looking at copy\na list of fonts: True" in capsys.readouterr().out
        texts.append(notebooks.normalise(notebooks.read(tmp_path / name)))
    assert texts[0] == texts[1]
    assert not re.search(r'"execution_count": \d', texts[0])
    assert "'local'" in texts[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_the_path_of_a_folder_is_a_text_whatever_is_in_it(store, small, tmp_path):
    folder = tmp_path / """it's "a" \\folder\\\n{results} {{ 6 * 7 }} \x1b[31m $HOME %s"""
    store.path.rename(folder)
    notebooks.execute(small, tmp_path / "out.ipynb", {"results": str(folder)})
    assert "'local'" in notebooks.normalise(notebooks.read(tmp_path / "out.ipynb"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_what_a_cell_refuses_is_refused_and_nothing_is_left(small, tmp_path):
    with pytest.raises(BadInput, match=r"nowhere is no results folder"):
        notebooks.execute(small, tmp_path / "out.ipynb", {})
    assert sorted(tmp_path.glob("*.ipynb")) == []


def test_an_unknown_parameter_is_refused(small, tmp_path):
    with pytest.raises(BadInput, match=r"parameter of small\.md 'reslts'; did you mean 'results'"):
        notebooks.execute(small, tmp_path / "out.ipynb", {"reslts": "x"})
