"""A run as a value: what is to be measured. It is read from options or a TOML file, and kept with the results.

An example of such a file, which asks for an experiment (docs/adr/0032)::

    tasks = ["adding"]
    lags = [100, 300]
    models = ["lstm", "gru:hidden=64"]
    steps = 5000
    grid = [0.001, 0.003]

What it does not hold changes no record's content: the folder, the number of workers, the time that a run is given.
"""

import json
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError

from seqbench.errors import BadInput, unknown
from seqbench.records.schema import Strict, digest
from seqbench.values.arguments import Count, Lag, Rate, refusal, spread
from seqbench.values.fields import Line

# A list, or a range that ``of`` has made one; not all that can be iterated, for a set has no order, and some never end.
LIST_TO_TUPLE = BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
Names = Annotated[tuple[Line, ...], LIST_TO_TUPLE]
Lags = Annotated[tuple[Lag, ...], LIST_TO_TUPLE]
Size = Annotated[int, Field(gt=0, le=10_000_000)]
Rates = Annotated[tuple[Rate, ...], LIST_TO_TUPLE]

RATE_FIELDS = {"grid", "learning_rate"}  # two ways to say at which rates


class RunSpec(Strict):
    """What a run measures.

    Attributes
    ----------
    profile
        ``smoke``, ``quick``, ``paper``, ``edition`` or ``experiment``. Where a run is given none, it is ``quick`` if
        that has all that is asked for, and else ``experiment``.
    tasks, models, lags, parts
        What to measure of the profile; empty means all. A task or model may have options: ``lstm:layers=2``.
    seeds
        How many reporting seeds, instead of the profile's number.
    grid
        The learning rates over which a profile that tunes, or an experiment, chooses. They are part of the
        specification, so results of two grids never meet in one folder.
    steps, learning_rate
        Training steps at most, and the learning rate: of an experiment, or of tasks that a profile does not have. A
        profile that tunes finds the rate itself.
    batch, parameters, hidden, layers
        Of an experiment: sequences a step, the number of parameters that models are matched to, and the width and the
        number of layers of every model.
    knob, rungs
        Of an experiment: the models climb a ladder of the task, by its lag (``"lag"``) or an option of it, at these
        values; without rungs, the edition's ladder.
    device
        ``cpu``, ``cuda``, or ``auto``: a GPU where there is one.
    scan
        How recurrences are run: ``auto``, ``reference``, ``native``, ``ensemble`` or ``fused``.
    precision
        ``float32`` or ``float64``; with CUDA also ``tf32`` (products) or ``bfloat16`` (the forward pass).
    """

    profile: Line = "quick"
    tasks: Names = ()
    models: Names = ()
    lags: Lags = ()
    parts: Names = ()
    seeds: Count | None = None
    grid: Rates = ()
    steps: Count | None = None
    learning_rate: Rate | None = None
    batch: Count | None = None
    parameters: Size | None = None
    hidden: Count | None = None
    layers: Count | None = None
    knob: Line = ""
    rungs: Lags = ()
    device: Line = "auto"
    scan: Line = "auto"
    precision: Line = "float32"

    @classmethod
    def of(cls, options: dict[str, object]) -> "RunSpec":
        """Return the specification with these fields, as a user gave them; all others have their defaults.

        Raises
        ------
        BadInput
            With one sentence that names the field and what it may be.
        """
        for name in options:
            if name not in cls.model_fields:
                raise unknown("field of a run specification", str(name), cls.model_fields)
        try:
            return cls.model_validate({k: spread(v) for k, v in options.items()})
        except ValidationError as error:
            wrong = error.errors()
            name = str(wrong[0]["loc"][0])
            of_it = [each for each in wrong if each["loc"][0] == name]
            raise refusal(name, options[name], of_it) from None

    @classmethod
    def read(cls, file: str | Path) -> "RunSpec":
        """Return the specification in a TOML file; raise ``BadInput`` where it is none."""
        try:
            text = Path(file).read_text("utf-8-sig")  # without the mark that an editor may leave
            return cls.of(tomllib.loads(text))
        except OSError as error:
            raise BadInput(f"can't read {file}: {error.strerror}") from None
        except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or nested too deeply
            raise BadInput(f"{file} is no TOML file: {error}") from None
        except BadInput as error:
            raise BadInput(f"{file}: {error}") from None

    def change(self, options: dict[str, object]) -> "RunSpec":
        """Return the specification with other values of some fields; raise as ``of`` does.

        One learning rate takes the place of a grid, and a grid that of one learning rate.
        """
        kept = self.model_fields_set - (RATE_FIELDS if RATE_FIELDS & options.keys() else set())
        return self.of({name: getattr(self, name) for name in kept} | options)

    @property
    def climbs(self) -> bool:
        """Whether the models are to climb a ladder that the specification names."""
        return bool(self.knob or self.rungs)

    @property
    def id(self) -> str:
        """The name of the specification: the hash of what is not left to its default."""
        return digest(self.model_dump(mode="json", exclude_defaults=True))

    def toml(self) -> str:
        """Return the specification as TOML, a line for each field that has a value."""
        fields = self.model_dump(mode="json")
        # A list, a number or a printable text is written in TOML as it is in JSON.
        return "".join(
            f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
            for name, value in fields.items()
            if value not in (None, [], "")
        )
