"""Running notebooks with parameters through papermill, and removing what differs from run to run.

In the repository a notebook is MyST markdown, read by jupytext; it becomes ``.ipynb`` when it is run.
"""

import ast
import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seqbench import errors
from seqbench.errors import BadInput, unknown

KERNEL = "python3"


def read(path: Path) -> Any:
    """Return a notebook, from MyST markdown or from ``.ipynb``."""
    import jupytext

    return jupytext.read(path, fmt="md:myst" if path.suffix == ".md" else None)


def to_json(notebook: Any) -> str:
    """Return a notebook as the text of its ``.ipynb``."""
    import nbformat

    writes: Any = nbformat.writes  # untyped
    return f"{writes(notebook)}\n"


def list_parameters(notebook: Any) -> list[str]:
    """Return the names that the cell tagged ``parameters`` sets."""
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    return [
        target.id
        for cell in cells
        for line in ast.parse(cell.source).body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    ]


def execute(notebook_path: Path, output_path: Path, parameters: Mapping[str, Any]) -> None:
    """Run a notebook with these parameters; the output file is written only if all cells succeed.

    The output of the cells is passed through while they run, in this interpreter's environment and in the folder of the
    notebook.

    Raises
    ------
    BadInput
        If the notebook has no such parameter (papermill would only warn), or if a cell raises it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # of tqdm: no widgets are needed
        import papermill

    notebook = read(notebook_path)
    known = list_parameters(notebook)
    for name in parameters:
        if name not in known:
            raise unknown(f"parameter of {notebook_path.name}", name, known)
    with TemporaryDirectory() as folder, use_this_interpreter(Path(folder)):
        source, target = Path(folder) / "source.ipynb", Path(folder) / "target.ipynb"
        source.write_text(to_json(notebook), "utf-8")
        try:
            papermill.execute_notebook(
                source,
                target,
                dict(parameters),
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                cwd=notebook_path.parent,
            )
        except papermill.PapermillExecutionError as error:
            kind = getattr(errors, error.ename, None)  # a BadInput that a cell raised stays one
            if isinstance(kind, type) and issubclass(kind, BadInput):
                raise kind(error.evalue) from None
            raise
        output_path.parent.mkdir(parents=True, exist_ok=True)
        part = output_path.with_name(f".{output_path.name}.{os.getpid()}.tmp")
        part.write_bytes(target.read_bytes())
        part.replace(output_path)


@contextmanager
def use_this_interpreter(folder: Path) -> Iterator[None]:
    """Let the kernel ``python3`` be this interpreter, regardless of kernels installed in the home directory."""
    quiet = "--log-level=CRITICAL"  # else it warns when it starts listening and when it is stopped
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", quiet],
        "display_name": "Python 3",
        "language": "python",
    }
    kernels = folder / "jupyter" / "kernels" / KERNEL
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(spec))
    ours = {
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": prepare_fonts(),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def prepare_fonts() -> str:
    """Return the folder with Matplotlib's font list, after making the list if it is missing.

    Otherwise the kernel would make it, with a message on standard error if that is slow.
    """
    import matplotlib.font_manager

    return matplotlib.get_cachedir()


def normalise(notebook: Any) -> str:
    """Return the notebook as text without what differs from run to run, so that two runs give the same bytes.

    Removed are papermill's metadata, execution times and counts, random cell ids, the version of Python, and the cell
    with the parameters of this run, which names local folders.
    """
    notebook.cells = [
        c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
    ]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        for mark in ("papermill", "execution"):
            cell.metadata.pop(mark, None)
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = None
    return to_json(notebook)


def list_stderr(notebook: Any) -> list[str]:
    """Return what the cells wrote to standard error, which a page must not show."""
    return [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
