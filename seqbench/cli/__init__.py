"""The command line: the only room that knows all others.

What answers a question goes to standard output, and with ``--json`` it is one JSON document and nothing else; errors
and progress go to standard error. Exit codes: 0 done, 1 a check or a run failed, 2 bad input, 3 the specification
differs, 4 nothing can be said yet (verify), 130 interrupted, 141 nobody reads the answer any more. Whatever imports
torch is imported inside the command that needs it.
"""

import sys
from typing import NoReturn

from seqbench.cli import climbing, listing, measuring, reading  # noqa: F401  each adds its commands to the app
from seqbench.cli.app import app
from seqbench.cli.terminal import obey


def main() -> NoReturn:
    """Run the command line, and exit with a code that says how it went."""
    obey(app, sys.argv[1:] or ["--help"])
