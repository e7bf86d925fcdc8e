"""``python -m seqbench`` is the command line, too."""

from seqbench.cli import main

main()
