"""Execute one notebook, in a process that ends when its parent does; ``bench.py`` starts several side by side.

python tools/notebook.py book/notebooks/adding.md adding.ipynb '{"run": true}'
"""

import json
import os
import sys
from pathlib import Path

from seqbench.cli.terminal import complain
from seqbench.errors import BadInput
from seqbench.measure.orphan import end_with


def main(notebook: str, output: str, parameters: str) -> int:
    """Execute a notebook with parameters in JSON; return an exit code."""
    from seqbench.report.notebooks import execute

    try:
        execute(Path(notebook), Path(output), json.loads(parameters))
    except BadInput as error:
        return complain(f"{Path(notebook).stem}: {error}", error.exit_code)
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        why = lines[-1] if lines else type(error).__name__
        return complain(f"{Path(notebook).stem}: its notebook failed: {why}", 1)
    return 0


if __name__ == "__main__":
    end_with(os.getppid())  # its kernel then ends by itself
    sys.exit(main(*sys.argv[1:]))
