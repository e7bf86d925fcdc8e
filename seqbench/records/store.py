"""The results folder: append, read, validate, seal.

A results folder::

    manifest.json                              schema, edition, profile, specification
    plan.jsonl                                 the planned units
    facts.json                                 of an edition: what its tables take from the code that published it
    records/<task>/<model>-lag<lag>-<unit>-<members>.jsonl
    throughput/<name>.jsonl
    comparisons/<name>.jsonl                   goals for speed
    baselines/<task>-lag<lag>-<options>.jsonl  scores of methods without a network
    probes/<instrument>-<name>.jsonl           what instruments measured inside models
    trials/<experiment>.jsonl                  of the replication ledger
    systems/<system>.json
    specs/<spec>.toml                          what was asked for: the specification of each run
    tables/
    unfinished/                                the state of long jobs, while they run

Each append writes one new file under a temporary name, flushes it to the disk and renames it, so that a run killed at
any time leaves only complete files. Nothing is dropped silently: a line that does not fit the schema is an error that
names its file and line, and so is a file that can't be read or does not belong here. A folder may come from an
untrusted source: no link in it is followed. Hidden files, and those that desktops and editors leave behind, are
ignored.
"""

import fcntl
from collections.abc import Container, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TypeVar

from seqbench.errors import BadInput, SpecificationDiffers
from seqbench.records import layout
from seqbench.records.facts import Facts
from seqbench.records.lock import hold_lock
from seqbench.records.rows import (
    WINDOWS,
    explain_write_errors,
    iterate_lines,
    parse,
    parse_row,
    read_bytes,
    read_object,
    write,
    write_rows,
)
from seqbench.records.schema import (
    SCHEMA,
    Baseline,
    Comparison,
    Manifest,
    Member,
    Planned,
    Probe,
    Record,
    Strict,
    System,
    Throughput,
    Trial,
    Unit,
    canonical,
    digest,
)
from seqbench.records.spec import RunSpec

Row = TypeVar("Row", Record, Throughput, Comparison, Baseline, Probe, Trial)


class Store:
    """A results folder.

    Parameters
    ----------
    path
        The folder; only ``create`` makes it.
    """

    def __init__(self, path: str | Path) -> None:
        if not isinstance(path, str | Path):
            raise BadInput(f"a results folder is named by a path; got a {type(path).__name__}")
        self.path = Path(path)

    @property
    def unfinished(self) -> Path:
        """The folder of the checkpoints of long jobs."""
        return self.path.absolute() / "unfinished"

    @property
    def exists(self) -> bool:
        """Whether the results folder exists."""
        try:
            return (self.path / "manifest.json").is_file()
        except OSError as error:
            raise BadInput(f"can't read {self.path}: {error.strerror}") from None

    def manifest(self) -> Manifest:
        """Return the manifest."""
        file = self.path / "manifest.json"
        if not self.exists:
            raise BadInput(f"{self.path} is no results folder: it has no manifest.json")
        return read_object(Manifest, file)

    def create(self, manifest: Manifest) -> "Store":
        """Make the folder, or check that the existing one was made for the same profile and specification."""
        self.check(manifest)
        if not self.exists:
            write(self.path / "manifest.json", manifest.canonical() + "\n")
        return self

    def check(self, manifest: Manifest) -> None:
        """Raise if the existing folder was made for something else, or holds other files.

        An edition that is not sealed is still being measured: a run of its profile goes on with it.
        """
        if not self.exists:
            if self.path.is_dir() and layout.list_entries(self.path):
                raise BadInput(
                    f"{self.path} is no results folder, and holds other files; "
                    "choose an empty folder or a new one with --out"
                )
            return
        there = self.manifest()
        sealed = ("edition",) if there.files else ()
        for field in ("schema_version", *sealed, "profile"):
            has, wants = getattr(there, field), getattr(manifest, field)
            if has != wants:
                raise BadInput(
                    f"{self.path} holds results of {field.replace('_', ' ')} '{has}', this run is of '{wants}'; "
                    "choose another folder with --out"
                )
        if there.specification != manifest.specification:
            raise SpecificationDiffers(
                f"{self.path} was measured under specification {there.specification}, the profile "
                f"'{manifest.profile}' now has {manifest.specification}; choose another folder with --out"
            )

    def append(self, records: Iterable[Record]) -> None:
        """Write the records of one unit atomically; records of the same members are replaced."""
        records = list(records)
        unit = records[0].unit
        members = sorted(canonical(r.member.model_dump(mode="json")) for r in records)
        place = self._make_prefix(unit)
        write_rows(place.with_name(f"{place.name}{digest(members)[:8]}.jsonl"), records)

    def remove_records(self, unit: Unit, members: Iterable[Member]) -> None:
        """Remove the records of a unit that a new measurement is about to replace.

        A reporting seed is replaced at any learning rate: the tuning may have chosen another.
        """
        members = list(members)
        keys = {(unit.id, m.seed, m.learning_rate) for m in members}
        reporting = {m.seed for m in members if m.role == "reporting"}
        for file in self._list_unit_files(unit):
            rows = [parse_row(Record, line, where) for where, line in iterate_lines(file)]
            kept = [
                r
                for r in rows
                if r.key not in keys
                and not (r.member.role == "reporting" and r.member.seed in reporting)
            ]
            if kept:
                write_rows(file, kept)
            else:
                with explain_write_errors(file):
                    file.unlink()

    def remove_others(self, unit: Unit) -> None:
        """Remove the records of all other units with the task, lag and model of this one."""
        for other in self.find_same_condition(unit):
            for file in self._list_unit_files(other):
                with explain_write_errors(file):
                    file.unlink()

    def find_same_condition(self, unit: Unit) -> list[Unit]:
        """Return the other units of the folder with the task, lag and model of this one."""
        rows = {r.unit_id: r.unit for r in self.records()}
        return [u for u in rows.values() if u.condition == unit.condition and u.id != unit.id]

    def add_system(self, system: System) -> str:
        """Write the description of a machine; return its id."""
        file = self.path / "systems" / f"{system.id}.json"
        if not file.exists():
            write(file, system.canonical() + "\n")
        return system.id

    def write_plan(self, cells: Iterable[Planned]) -> None:
        """Write the plan, replacing an older one."""
        write_rows(self.path / "plan.jsonl", cells)

    def plan(self) -> list[Planned]:
        """Return the planned units; empty if there is no plan."""
        file = self.path / "plan.jsonl"
        if not file.is_file():
            return []
        there: dict[object, str] = {}
        knobs: dict[str, tuple[str, ...]] = {}
        rows = []
        for where, line in iterate_lines(file):
            row = parse_row(Planned, line, where)
            rows.append(row)
            if (first := there.setdefault(row.unit.id, where)) != where:
                raise BadInput(f"{where}: the same condition as {first}")
            if (rung := row.rung) is None:
                continue
            climb = (rung.ladder, row.unit.model_spelling, rung.value)
            if (first := there.setdefault(climb, where)) != where:
                raise BadInput(
                    f"{where}: rung {rung.value} of ladder '{rung.ladder}' for {climb[1]}, as {first}"
                )
            knob = (row.unit.task, rung.knob, rung.unit)
            if (known := knobs.setdefault(rung.ladder, knob)) != knob:
                raise BadInput(
                    f"{where}: a rung of ladder '{rung.ladder}' of {' '.join(knob)}, "
                    f"which above is of {' '.join(known)}"
                )
        return rows

    def add_spec(self, spec: RunSpec) -> None:
        """Keep what a run was asked for; return its name."""
        file = self.path / "specs" / f"{spec.id}.toml"
        if not file.exists():
            write(file, spec.toml())

    def specs(self) -> dict[str, RunSpec]:
        """Return what the runs into this folder were asked for, by name."""
        return {file.stem: RunSpec.read(file) for file in self.list_files("specs")}

    def grid(self) -> tuple[float, ...]:
        """Return the learning rates that the runs asked to be tuned over, or none; raise where they differ."""
        grids = {tuple(sorted(spec.grid)) for spec in self.specs().values() if spec.grid}
        if len(grids) > 1:
            raise BadInput(
                f"{self.path / 'specs'}: the runs of a folder are tuned over one grid; "
                f"these ask for {' and '.join(str(list(grid)) for grid in sorted(grids)[:2])}"
            )
        return grids.pop() if grids else ()

    def write_facts(self, facts: Facts) -> None:
        """Write the facts of an edition."""
        write(self.path / "facts.json", facts.canonical() + "\n")

    def facts(self) -> Facts | None:
        """Return the facts of an edition; None if the folder has none."""
        file = self.path / "facts.json"
        return read_object(Facts, file) if file.is_file() else None

    def add_throughput(self, name: str, rows: Iterable[Throughput]) -> None:
        """Write step times under a name, replacing older ones of that name."""
        self._write_rows("throughput", name, rows)

    def add_comparisons(self, name: str, rows: Iterable[Comparison]) -> None:
        """Write comparisons under a name, replacing older ones of that name."""
        self._write_rows("comparisons", name, rows)

    def add_baselines(self, rows: Iterable[Baseline]) -> None:
        """Write the baselines of one task at one lag, replacing older ones."""
        rows = list(rows)
        one = rows[0]
        self._write_rows(
            "baselines", f"{one.task}-lag{one.lag}-{digest(one.task_options)[:8]}", rows
        )

    def add_probes(self, name: str, rows: Iterable[Probe]) -> None:
        """Write probes under a name, replacing older ones of that name."""
        self._write_rows("probes", name, rows)

    def add_trials(self, experiment: str, rows: Iterable[Trial]) -> None:
        """Add trials of an experiment to those already written."""
        there = [t for t in self.trials() if t.experiment == experiment]
        self._write_rows("trials", experiment, [*there, *rows])

    def _write_rows(self, folder: str, name: str, rows: Iterable[Strict]) -> None:
        write_rows(self.path / folder / f"{name}.jsonl", rows)

    def records(self) -> list[Record]:
        """Return all records; raise ``BadInput`` at the first line that is invalid or a duplicate."""
        return list(self._read_rows(Record, "records"))

    def throughput(self) -> list[Throughput]:
        """Return all step times; raise as ``records`` does."""
        return list(self._read_rows(Throughput, "throughput"))

    def comparisons(self) -> list[Comparison]:
        """Return all comparisons; raise as ``records`` does."""
        return list(self._read_rows(Comparison, "comparisons"))

    def baselines(self) -> list[Baseline]:
        """Return all baselines; raise as ``records`` does."""
        return list(self._read_rows(Baseline, "baselines"))

    def probes(self) -> list[Probe]:
        """Return all probes; raise as ``records`` does."""
        return list(self._read_rows(Probe, "probes"))

    def trials(self) -> list[Trial]:
        """Return all trials of the ledger; raise as ``records`` does."""
        return list(self._read_rows(Trial, "trials"))

    def systems(self) -> dict[str, System]:
        """Return the machines by id."""
        return {file.stem: read_object(System, file) for file in self.list_files("systems")}

    def validate(self) -> list[str]:
        """Return a sentence for everything that is wrong with the folder."""
        manifest = self.manifest()
        wrong = self.list_misplaced()
        if manifest.schema_version != SCHEMA:
            wrong.append(
                f"{self.path} has schema {manifest.schema_version}; this seqbench reads {SCHEMA}"
            )
        systems, errors = self._check_systems()
        wrong += errors
        wrong += self._check_specs(manifest.profile)
        for read in (self.plan, self.facts, self.grid):
            try:
                read()
            except BadInput as error:
                if str(error) not in wrong:  # a specification that can't be read
                    wrong.append(str(error))
        wrong += self._check_rows(manifest.specification, systems)
        converted = [line for line in wrong if line.endswith(WINDOWS)]
        if converted:  # one cause, reported once
            others = [line for line in wrong if line not in converted]
            more = f"; so are {len(converted) - 1} more lines" if converted[1:] else ""
            return [*others, converted[0] + more]
        return wrong + self._check_seal(manifest)

    def _check_systems(self) -> tuple[set[str], list[str]]:
        """Return the ids of the machines that can be read, and what is wrong with their files."""
        found, wrong = set(), []
        for file in self.list_files("systems", strict=False):
            try:
                system = read_object(System, file)
            except BadInput as error:
                wrong.append(str(error))
                continue
            found.add(file.stem)
            if system.id != file.stem:
                wrong.append(f"{file}: its content hashes to {system.id}")
        return found, wrong

    def _check_specs(self, profile: str) -> Iterator[str]:
        """Yield what is wrong with the specifications of runs."""
        for file in self.list_files("specs", strict=False):
            try:
                spec = RunSpec.read(file)
            except BadInput as error:
                yield str(error)
                continue
            if spec.id != file.stem:
                yield f"{file}: its content hashes to {spec.id}"
            if spec.profile != profile:
                yield f"{file}: asks for profile '{spec.profile}', manifest.json says '{profile}'"

    def _check_rows(self, specification: str, systems: Container[str]) -> Iterator[str]:
        """Yield what is wrong with the rows of all measurements."""
        rows = chain(
            self._read_lines(Record, "records", strict=False),
            self._read_lines(Throughput, "throughput", strict=False),
            self._read_lines(Comparison, "comparisons", strict=False),
            self._read_lines(Baseline, "baselines", strict=False),
            self._read_lines(Probe, "probes", strict=False),
            self._read_lines(Trial, "trials", strict=False),
        )
        rates: dict[tuple[str, int], float] = {}  # of the reporting runs
        units: dict[tuple[str, int, str], str] = {}  # by task, lag and model
        for where, row in rows:
            if isinstance(row, BadInput):
                yield str(row)
                continue
            if isinstance(row, Record):
                yield from self._check_record(where, row, rates, units)
            if row.system_id not in systems:
                yield f"{where}: its system {row.system_id} has no file in systems/"
            elif isinstance(row, Record) and row.provenance.specification != specification:
                yield (
                    f"{where}: measured under specification {row.provenance.specification}, "
                    f"the manifest says {specification}"
                )

    def _check_record(
        self,
        where: str,
        record: Record,
        rates: dict[tuple[str, int], float],
        units: dict[tuple[str, int, str], str],
    ) -> Iterator[str]:
        """Yield what is wrong with a record, given the rates and units of the records before it."""
        unit, member = record.unit, record.member
        if member.role == "reporting":
            rate = rates.setdefault((record.unit_id, member.seed), member.learning_rate)
            if rate != member.learning_rate:
                yield f"{where}: seed {member.seed} reports at two learning rates"
        other = units.setdefault(unit.condition, record.unit_id)
        if other != record.unit_id:
            condition = " ".join(map(str, unit.condition))
            yield f"{where}: {condition} was measured under other conditions, too, as unit {other}"
        if not where.startswith(str(self._make_prefix(unit))):
            yield f"{where}: records of this unit belong to {self._make_prefix(unit)}…"

    def _check_seal(self, manifest: Manifest) -> list[str]:
        """Return a sentence for each file that differs from the hashes of a sealed folder."""
        if not manifest.files:
            return []
        files = self._hash_files()
        wrong = []
        for path in sorted(files.keys() | manifest.files.keys()):
            found, expected = (h.get(path, "no such file") for h in (files, manifest.files))
            if found != expected:
                wrong.append(
                    f"{self.path / path}: sha256 is {found}, manifest.json says {expected}"
                )
        return wrong

    def seal(self) -> None:
        """Write the sha256 of every file into the manifest, so that any later change is detected."""
        sealed = self.manifest().model_copy(update={"files": self._hash_files()}).canonical()
        file = self.path / "manifest.json"
        parse(Manifest, sealed.encode(), f"{file}")  # fails if a file's name is not allowed
        write(file, f"{sealed}\n")

    @contextmanager
    def lock(self, *tasks: str) -> Iterator[None]:
        """Lock the folder, or only some tasks in it; a second run into it at the same time is refused."""
        with ExitStack() as held:
            whole = fcntl.LOCK_SH if tasks else fcntl.LOCK_EX
            held.enter_context(hold_lock(self.path / ".lock", whole, "this folder"))
            for task in sorted(tasks):
                held.enter_context(
                    hold_lock(self.path / f".lock-{task}", fcntl.LOCK_EX, f"task '{task}'")
                )
            for leftover in layout.find_leftovers(self.path, tasks):
                with suppress(OSError):
                    leftover.unlink()
            yield

    def list_misplaced(self) -> list[str]:
        """Return a sentence for each entry of the folder that can't be read or does not belong there."""
        return [str(wrong) for wrong in layout.find_misplaced(self.path)]

    def check_layout(self) -> None:
        """Raise ``BadInput`` at the first entry of the folder that can't be read or does not belong there."""
        if self.exists and (wrong := self.list_misplaced()):
            raise BadInput(wrong[0])

    def _hash_files(self) -> dict[str, str]:
        """Return the sha256 of every file except the manifest and hidden files, by path."""
        return {
            file.relative_to(self.path).as_posix(): sha256(read_bytes(file)).hexdigest()
            for file in sorted(self.path.rglob("[!.]*"))
            if file.is_file()
            and not layout.is_litter(file.name)
            and file != self.path / "manifest.json"
            and self.unfinished not in file.absolute().parents
        }

    def list_files(self, folder: str, strict: bool = True) -> list[Path]:
        """Return the files of a folder of measurements; raise at a misplaced entry unless ``strict`` is False."""
        if not (self.path / folder).exists():
            return []
        found = []
        for file in layout.list_files(self.path, folder):
            if isinstance(file, Path):
                found.append(file)
            elif strict:
                raise file
        return found

    def _list_unit_files(self, unit: Unit) -> list[Path]:
        place = self._make_prefix(unit)
        return sorted(place.parent.glob(f"{place.name}*.jsonl"))

    def _make_prefix(self, unit: Unit) -> Path:
        """Return the common prefix of the paths of a unit's files."""
        return self.path / "records" / unit.task / f"{unit.model}-lag{unit.lag}-{unit.id[:8]}-"

    def _read_lines(
        self, kind: type[Row], folder: str, strict: bool = True
    ) -> Iterator[tuple[str, Row | BadInput]]:
        """Yield the place of each line, and its row or the error in it."""
        seen: dict[tuple[object, ...], str] = {}
        for file in self.list_files(folder, strict):
            for where, line in iterate_lines(file):
                try:
                    row = parse_row(kind, line, where)
                except BadInput as error:
                    yield where, error
                    continue
                if row.key in seen:
                    yield where, BadInput(f"{where}: the same measurement as {seen[row.key]}")
                else:
                    seen[row.key] = where
                    yield where, row

    def _read_rows(self, kind: type[Row], folder: str) -> Iterator[Row]:
        for _, row in self._read_lines(kind, folder):
            if isinstance(row, BadInput):
                raise row
            yield row
