"""T5: the machines that were measured on."""

from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row, to_decimals

MACHINES = (
    Column("system", "Machine", "id", css="label"),
    Column("processor", "Processor", "as it names itself", css="label"),
    Column("cores", "Cores", "that a run may use", css="number"),
    Column("memory_gib", "Memory, GiB", "of the machine", to_decimals(1), css="number"),
    Column("accelerator", "Accelerator", "as it names itself", css="label"),
    Column("operating_system", "System", "operating system", css="label"),
    Column("python", "Python", "version", css="label"),
    Column("versions", "Packages", "versions", css="label"),
)


def machines(results: Results) -> Content:
    """Return T5."""
    rows: list[Row] = [
        {
            "system": name,
            "processor": s.processor,
            "cores": s.cores,
            "memory_gib": s.memory / 2**30,
            "accelerator": s.accelerator or "none",
            "operating_system": s.operating_system,
            "python": s.python,
            "versions": ", ".join(
                f"{package} {version}" for package, version in sorted(s.versions.items())
            ),
        }
        for name, s in sorted(results.systems.items())
    ]
    return Content("Machines that were measured on", MACHINES, rows)
