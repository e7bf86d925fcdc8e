"""The files of measurements for decisions: what was measured is kept, also if the rest fails."""

import json

import pytest

from benchmarks.decisions.rows import describe_origin, keep_rows


def test_rows_are_printed_and_written_as_they_come(tmp_path, capsys):
    def measure():
        yield {"way": "groups", "ms": 1.5}
        yield {"way": "alone", "ms": 3.0}
        raise RuntimeError("no memory")

    file, origin = tmp_path / "frames.json", describe_origin("cpu", lag=20, batch=32)
    with pytest.raises(RuntimeError, match="no memory"):
        keep_rows(measure(), "{way} {ms}".format_map, origin, file)
    assert capsys.readouterr().out == "groups 1.5\nalone 3.0\n"
    written = json.loads(file.read_text("utf-8"))
    assert list(written) == ["commit", "dirty", "lag", "batch", "system", "rows"]
    assert (written["lag"], written["batch"]) == (20, 32)
    assert [row["ms"] for row in written["rows"]] == [1.5, 3.0]
