"""Sessions of nox, one for each thing that this project can do; ``nox -l`` lists them.

Two environments serve all of them. ``env`` makes the one that holds torch; ``book`` has its own for Jupyter Book, which
pins an old Sphinx and does not need torch. Arguments after ``--`` are passed on: ``nox -s bench -- --profile paper``.
NOX_DEFAULT_VENV_BACKEND chooses what makes the environments (virtualenv, uv, conda, ...).
"""

import hashlib
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests"]

HERE = Path(__file__).parent
HTML = HERE / "book" / "_build" / "html"

# The hooks of .pre-commit-config.yaml are these same commands.
LINT = [
    ["ruff", "format", "--check"],
    ["ruff", "check"],
    ["mypy", "seqbench"],
    ["lint-imports"],
]

# Two workers, each with neighbouring tests, so that they do not both read the same data; an idle one takes over tests.
TESTS = ["pytest", "-n", "2", "--dist", "worksteal"]

# Each of these libraries uses the widest instructions of the processor unless it is told not to. With these settings it
# computes as on a machine without AVX-512: sums of another width are added in another order and rounded differently.
NARROW = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy and SciPy
}
# These variables say where data and caches are; without them they are in the home directory.
PLACES = ("SEQBENCH_DATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "TRITON_CACHE_DIR")

# The folder of the shared environment's programs, once the session env has run.
SHARED: dict[str, str] = {}


def install_once(session: nox.Session, files: list[str], *args: str) -> None:
    """Install, unless these files are unchanged since the last time: pip alone takes seconds to find that out."""
    digest = hashlib.sha256("\0".join(args).encode())
    for name in files:
        digest.update((HERE / name).read_bytes())
    stamp = Path(session.virtualenv.location) / "seqbench-installed"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        session.log("nothing to install: the environment is up to date")
        return
    stamp.unlink(missing_ok=True)
    session.install(*args)
    stamp.write_text(digest.hexdigest())


def run_shared(session: nox.Session, program: str, *args: str, **env: str | None) -> None:
    """Run a program of the shared environment; what it starts (a notebook, asv) uses that environment, too."""
    path = os.pathsep.join([SHARED["bin"], os.environ.get("PATH", "")])
    program = str(Path(SHARED["bin"]) / program)
    session.run(program, *args, env={"PATH": path, **env}, external=True)


@nox.session(reuse_venv=True)
def env(session: nox.Session) -> None:
    """Make the environment that holds torch, for bench, tests, lint and book."""
    install_once(
        session,
        ["pyproject.toml", "constraints.txt"],
        *("-c", "constraints.txt", "-e", ".[bench,test,lint]"),
    )
    SHARED["bin"] = session.bin


@nox.session(python=False, requires=["env"])
def bench(session: nox.Session) -> None:
    """Measure everything: accuracy, throughput, tables (-- --profile paper --device cuda)."""
    run_shared(session, "python", "tools/bench.py", *session.posargs)


@nox.session(python=False, requires=["env"])
def tests(session: nox.Session) -> None:
    """Run the tests (-- -k adding)."""
    run_shared(session, *TESTS, *session.posargs)


@nox.session(python=False, requires=["env"])
def stranger(session: nox.Session) -> None:
    """Run the tests as a stranger does: in a clone, with an empty home, without data and without AVX-512."""
    with TemporaryDirectory() as folder:
        clone, home = Path(folder, "seqbench"), Path(folder, "home")
        session.run("git", "clone", "--quiet", str(HERE), str(clone), external=True)
        home.mkdir()  # empty: no caches, no settings, no data
        # In the shared environment seqbench is this checkout; PYTHONPATH makes it the clone.
        here: dict[str, str | None] = {"HOME": str(home), "PYTHONPATH": str(clone)}
        with session.chdir(clone):
            env = NARROW | dict.fromkeys(PLACES) | here
            run_shared(session, *TESTS, *session.posargs, **env)


@nox.session(python=False, requires=["env"])
def lint(session: nox.Session) -> None:
    """Check format, style, types and who imports whom."""
    for command in LINT:
        run_shared(session, *command)


@nox.session(reuse_venv=True, requires=["env"])
def book(session: nox.Session) -> None:
    """Build the book from published results (-- --results results/local/quick: from your own)."""
    run_shared(session, "python", "book/build.py", "execute", *session.posargs)
    install_once(session, ["constraints-book.txt"], "-r", "constraints-book.txt")
    session.run("python", "book/build.py", "html")


@nox.session(python=False)
def serve(session: nox.Session) -> None:
    """Serve the built book on this machine (-- 8001: on another port)."""
    if not HTML.is_dir():
        session.error("there is no book yet: build it with nox -s book")
    here = ["--bind", "127.0.0.1", "--directory", str(HTML)]
    session.run(sys.executable, "-m", "http.server", *here, *(session.posargs or ["8000"]))
