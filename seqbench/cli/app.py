"""The application that the commands are added to."""

import typer

app = typer.Typer(
    name="seqbench",
    help="A small, exact benchmark of sequence models: what they can remember, and what it costs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Example: seqbench run --profile quick --task adding --model lstm,gru",
)
