import csv
import json
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO

import pytest
from made import probe, throughput

from seqbench.errors import BadInput
from seqbench.report import folder
from seqbench.report.folder import check_tables, describe_other_form, render_downloads, write_tables
from seqbench.report.page import Page
from seqbench.report.results import Results, load_results
from seqbench.report.table import FORMATS
from seqbench.report.tables import TABLES

from .conftest import RECORDS, STEP_TIMES, TUNING, record


def row_of(table, **keys):
    (found,) = [row for row in table.values if all(row[k] == v for k, v in keys.items())]
    return found


class Cells(HTMLParser):
    """The texts of the cells of the one table in a page, row by row; heading cells apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables, self.rows, self.spans = 0, [], []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tables += tag == "table"
        if tag == "tr":
            self.rows.append([])
        self.inside = tag == "td"
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


@pytest.fixture(autouse=True)
def tables_in_order():
    """Give the dict its order back: what was taken out and put back stands at its end."""
    order = dict(TABLES)
    yield
    TABLES.clear()
    TABLES.update(order)


def test_results_are_a_frame_with_a_row_a_run(make_store):
    frame = load_results(make_store(RECORDS + TUNING).path)
    assert len(frame) == len(RECORDS) + len(TUNING)
    assert (frame["role"] == "tuning").sum() == len(TUNING)
    first = frame.iloc[0]
    assert (first["task"], first["lag"], first["model"], first["seed"]) == ("adding", 10, "rnn", 0)
    assert first["solved"]
    assert first["curve_step"] == [100, 200, 300, 400]


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no manifest\.json"):
        load_results(tmp_path)


def test_a_torn_line_is_refused_by_file_and_line(store):
    (file, *_) = sorted(store.path.glob("records/*/*.jsonl"))
    file.write_text(file.read_text()[:-20] + "\n")
    with pytest.raises(BadInput, match=rf"{file.name}, line 1"):
        load_results(store.path)


def test_accuracy_by_hand(store):
    table = Results.read(store).table("T1")
    half = row_of(table, lag=10, model="rnn")
    assert (half["solved"], half["runs"], half["solve_rate"]) == (1, 2, 0.5)
    assert (half["solve_rate_low"], half["solve_rate_high"]) == (0.095, 0.905)
    assert (half["score_median"], half["score_min"], half["score_max"]) == (0.725, 0.5, 0.95)
    assert (half["chance"], half["threshold"]) == (0.0784, 0.9)
    assert (half["steps_to_solve"], half["budget"]) == (200, 500)
    assert (half["parameters"], half["learning_rate"]) == (101, 0.01)
    assert half["status"] == "measured"

    both = row_of(table, lag=10, model="lstm")
    assert (both["solved"], both["runs"], both["steps_to_solve"]) == (2, 2, 100)


def test_runs_that_ended_early_stay_in_the_denominator(store):
    table = Results.read(store).table("T1")
    diverged = row_of(table, lag=50, model="rnn")
    assert (diverged["solved"], diverged["runs"], diverged["diverged"]) == (0, 2, 1)
    assert diverged["score_median"] == diverged["score_max"] == 0.0625  # of the run that has one
    assert diverged["steps_to_solve"] is None

    late = row_of(table, lag=50, model="lstm")
    assert (late["solved"], late["runs"], late["failed"]) == (1, 2, 1)
    assert late["steps_to_solve"] == 500  # solved, and so late that only the last weights show it


def test_a_run_that_diverged_early_counts_as_one_that_never_solves(make_store):
    runs = [
        record(seed=0, score=1.0, at=300),
        record(seed=1, verdict="diverged", end=100),
        record(seed=2, score=0.5),
    ]
    (row,) = [
        r for r in Results.read(make_store(runs)).table("T1").values if r["status"] == "measured"
    ]
    assert row["steps_to_solve"] is None  # 2 of 3 are unsolved at 300


def test_records_of_mixed_specifications_are_refused_with_both_hashes(make_store):
    runs = [record(version=version, score=0.5) for version in (1, 2)]
    both = {run.unit_id for run in runs}
    with pytest.raises(
        BadInput, match=r"adding at lag 10 with lstm .* two specifications"
    ) as error:
        Results.read(make_store(runs)).table("T1")
    assert len(both) == 2
    assert all(name in str(error.value) for name in both)


def test_a_variant_is_a_cell_of_its_own(make_store):
    plain = record(score=1.0)
    deep = plain.unit.model_copy(update={"layers": 2})
    runs = [plain, plain.model_copy(update={"unit": deep, "unit_id": deep.id})]
    rows = [r["model"] for r in Results.read(make_store(runs)).table("T1").values if r["runs"]]
    assert rows == ["lstm", "lstm:layers=2"]


def test_what_was_not_measured_and_what_does_not_apply(store):
    status = {
        (r["task"], r["lag"], r["model"]): r["status"]
        for r in Results.read(store).table("T1").values
    }
    assert status["moving-shapes", 5, "cnn_lstm"] == "missing"
    assert status["moving-shapes", 5, "lstm"] == status["adding", 10, "cnn_lstm"] == "N/A"
    assert len(status) == (2 + 1) * 3  # every model stands under every task and lag
    assert all(
        row["solved"] is None
        for row in Results.read(store).table("T1").values
        if row["status"] == "N/A"
    )


def test_a_cell_with_too_few_seeds_says_so(make_store):
    table = Results.read(make_store(RECORDS[:3])).table("T1")
    assert row_of(table, lag=10, model="lstm")["status"] == "partial"
    assert row_of(table, lag=10, model="rnn")["status"] == "measured"
    assert any("adding 10 lstm" in note for note in table.notes)


def test_where_no_plan_is_known_nothing_is_missing(make_store):
    table = Results.read(make_store(plan=[])).table("T1")
    assert {row["status"] for row in table.values} == {"measured"}


def test_tuning_runs_have_a_table_of_their_own(make_store, store):
    assert not Results.read(store).table("T3")
    tuned = make_store(RECORDS + TUNING, name="tuned")
    assert Results.read(tuned).table("T1").values == Results.read(store).table("T1").values
    table = Results.read(tuned).table("T3")
    at = row_of(table, learning_rate=0.01)
    assert (at["solved"], at["runs"], at["chosen"]) == (1, 2, "yes, at the edge of the grid")
    assert row_of(table, learning_rate=0.001)["chosen"] == "no"


def test_throughput_by_hand(store):
    short, long = Results.read(store).table("T2").values
    assert (short["length"], short["microseconds_per_token"], short["tokens_per_second"]) == (
        50,
        1.5,
        667000,
    )
    assert (long["length"], long["microseconds_per_token"], long["tokens_per_second"]) == (
        100,
        2,
        500000,
    )
    assert (long["microseconds_per_token_q1"], long["microseconds_per_token_q3"]) == (1.8, 2.2)
    assert long["peak_memory_mib"] == 3
    assert "abacus" in long["machine"]
    assert long["commit"].endswith("with changes")


@pytest.mark.parametrize("records", [RECORDS, RECORDS + TUNING])
def test_all_forms_of_a_table_print_the_same_digits(make_store, records):
    for table in Results.read(make_store(records)).tables:
        lines = list(csv.DictReader(StringIO(table.csv())))
        from_json = json.loads(table.json())["rows"]
        page = Cells(table.html())
        body = [row for row in page.rows if row]
        tex = [line for line in table.tex().splitlines() if line.endswith("\\\\")][-len(lines) :]
        assert page.tables == 1
        assert len(lines) == len(from_json) == len(body) == len(table.rows)
        for text, values, cells, printed in zip(lines, from_json, body, tex, strict=True):
            for name, value in values.items():
                assert (
                    text[name] == ""
                    if value is None
                    else text[name] in (value, table_text(table, name, value))
                )
                if isinstance(value, int | float):
                    assert float(text[name]) == value
            shown = [text[c.name] for c in table.displayed_columns]
            if values.get("status") in ("missing", "N/A"):
                assert cells == [*shown[:3], values["status"]]
                assert values["status"] in printed
            else:
                assert cells == shown
                assert printed.replace("\\_", "_").removesuffix(" \\\\").split(" & ") == shown


def files_of(table):
    return {f"{table.id}.{form.ending}": form.write(table) for form in FORMATS.values()}


def table_text(table, name, value):
    (column,) = [c for c in table.columns if c.name == name]
    return column.write_text({name: value})


def test_the_same_records_give_the_same_bytes(make_store):
    first = make_store(RECORDS + TUNING, name="first")
    second = make_store(TUNING + RECORDS[::-1], STEP_TIMES[::-1], name="second")
    names = [file.name for file in write_tables(first)]
    assert names == [file.name for file in write_tables(second)]
    made = {name.partition(".")[0] for name in names}
    assert made == {"T1", "T2", "T3", "T4", "T5", "T8", "T9", "T12", "T13", "T14", "index"}
    for name in names:
        assert (first.path / "tables" / name).read_bytes() == (
            second.path / "tables" / name
        ).read_bytes()


def test_a_changed_digit_is_found_and_its_file_named(store):
    assert check_tables(store) == []  # no tables yet
    write_tables(store)
    assert check_tables(store) == []
    for name in ("T1.csv", "T2.csv", "index.json"):
        file = store.path / "tables" / name
        text = file.read_text()
        digit = next(c for c in reversed(text) if c.isdigit())
        file.write_text(text.replace(digit, str((int(digit) + 1) % 10)))
        (wrong,) = check_tables(store)
        assert str(file) in wrong
        file.write_text(text)


def test_a_file_too_many_or_too_few_is_found(store):
    write_tables(store)
    (store.path / "tables" / "T99.csv").write_text("task\n")
    (store.path / "tables" / "T1.csv").unlink()
    missing, stray = check_tables(store)
    assert "T1.csv: no such file" in missing
    assert "T99.csv: the records give no such table" in stray
    write_tables(store)
    assert check_tables(store) == []


OLDER = ("T1.json", "T1.tex", "T12.html", "T1.bib", "T1.ris")  # what older versions kept, too


def test_files_of_formats_that_are_no_longer_kept_go(store):
    write_tables(store)
    kept = sorted((store.path / "tables").iterdir())
    for name in OLDER:
        (store.path / "tables" / name).write_text("of an older seqbench")
    wrong = check_tables(store)
    assert len(wrong) == len(OLDER)
    assert all("report --write removes it" in sentence for sentence in wrong)
    write_tables(store)
    assert sorted((store.path / "tables").iterdir()) == kept
    assert check_tables(store) == []


def test_an_edition_of_an_older_version_keeps_its_files_of_all_formats(store):
    write_tables(store)
    for name, text in render_downloads(Results.read(store)).items():  # as it was once written
        (store.path / "tables" / name).write_text(text)
    store.seal()
    assert check_tables(store) == []
    table = store.path / "tables" / "T1.csv"
    table.write_text(table.read_text().replace("0.95", "0.96"))
    (wrong,) = check_tables(store)
    assert "T1.csv: differs" in wrong


def test_an_edition_keeps_tables_of_an_earlier_form(store, monkeypatch):
    write_tables(store)
    store.seal()
    assert describe_other_form(store) == ""
    monkeypatch.delitem(TABLES, "T5")  # a change
    assert any("T5.csv" in wrong for wrong in check_tables(store))
    monkeypatch.setattr(folder, "FORM", 4)
    monkeypatch.setattr(folder, "REPRODUCIBLE_FORMS", [4])
    assert check_tables(store) == []
    assert "are of form 3, and this code makes form 4: they were" in describe_other_form(store)


def test_tables_of_an_earlier_form_are_compared_with_what_that_form_gives(store):
    write_tables(store)
    for name, text in folder.render_tables(Results.read(store, form=1)).items():
        (store.path / "tables" / name).write_text(text)
    assert [wrong for wrong in check_tables(store) if "T8.csv: differs" in wrong]
    earlier = store.manifest().model_copy(update={"form": 1})
    (store.path / "manifest.json").write_text(f"{earlier.canonical()}\n")
    assert check_tables(store) == []
    assert describe_other_form(store) == ""
    table = store.path / "tables" / "T1.csv"
    table.write_text(table.read_text().replace("0.95", "0.96"))
    (wrong,) = check_tables(store)
    assert "T1.csv" in wrong


def test_tables_of_a_later_form_are_left_to_the_seal(store, monkeypatch):
    write_tables(store)
    monkeypatch.setattr(folder, "FORM", 1)
    monkeypatch.setattr(folder, "REPRODUCIBLE_FORMS", [1])
    monkeypatch.delitem(TABLES, "T5")
    (wrong,) = check_tables(store)
    assert "no seal speaks for them" in wrong
    store.seal()
    assert check_tables(store) == []
    assert "are of form 3, and this code makes form 1: they were" in describe_other_form(store)


def test_every_table_is_known_by_its_id_and_its_name(store):
    results = Results.read(store)
    for id_, (name, _) in TABLES.items():
        table = results.table(id_)
        assert (table.id, table.name) == (id_, name)
        assert results.table(id_) is table  # made once
        if table:
            assert results.find_table(name, "") is results.find_table(id_, "") is table
    assert {table.id for table in results.tables} < set(TABLES)
    with pytest.raises(BadInput, match="unknown table 'ledger' in here; choose from: "):
        results.find_table("ledger", "here")


def test_a_table_that_is_added_to_the_dict_is_one_of_all(store, call, monkeypatch):
    monkeypatch.setitem(TABLES, "T99", ("again", "seqbench.report.tables.runs:runs"))
    assert Results.read(store).tables[-1].id == "T99"
    assert "tables/local/T99.csv" in Page(store.path).downloads().html
    assert call("report", "again", store.path)[1] == call("report", "T99", store.path)[1] != ""
    write_tables(store)
    assert (store.path / "tables" / "T99.csv").is_file()
    assert check_tables(store) == []


def test_tables_are_not_written_through_a_link(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept.txt").write_text("kept")
    (store.path / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match=r"tables is a link"):
        write_tables(store)
    assert [file.name for file in (tmp_path / "elsewhere").iterdir()] == ["kept.txt"]


def test_a_table_is_cited_by_edition_and_content(make_store):
    table = Results.read(make_store(edition="2026.1", citable=True)).table("T1")
    files = files_of(table)
    assert "@misc{seqbench-2026.1-T1," in files["T1.bib"]
    assert "year = {2026}," in files["T1.bib"]
    assert table.digest in files["T1.bib"]
    assert files["T1.ris"].startswith("TY  - DATA\n")
    assert files["T1.ris"].endswith("ER  - \n")
    assert "not to be cited" not in "".join(files.values())


def test_a_preview_says_in_every_form_that_it_is_one(store):
    files = files_of(Results.read(store).table("T1"))
    assert all("not to be cited" in files[f"T1.{form}"] for form in ("html", "tex", "bib", "ris"))
    assert json.loads(files["T1.json"])["citable"] is False
    assert "year" not in files["T1.bib"]


def test_a_step_is_compared_with_the_floor(make_store):
    fast = throughput(length=50, seconds_per_token=2**-12, quartiles=(2**-12, 2**-12))
    old = throughput(length=100, floor=None)
    table = Results.read(make_store(step_times=[fast, old])).table("T2")
    row, other = (row_of(table, length=length) for length in (50, 100))
    least = 2**30 / 2**36 / (3 * 32 * 50)  # seconds per token
    assert row["microseconds_per_token_floor"] == pytest.approx(least * 1e6, rel=1e-2)
    assert row["share"] == pytest.approx(least / 2**-12, rel=1e-1)
    assert (row["flops"], row["bytes_per_second"]) == (2**30, pytest.approx(2**34, rel=1e-5))
    assert other["share"] is other["microseconds_per_token_floor"] is None


def test_where_no_gpu_was_measured_the_table_says_so(make_store):
    without = Results.read(make_store()).table("T2")
    assert "Not yet measured on a GPU." in without.html()
    measured = [*STEP_TIMES, throughput(device="cuda", compile_seconds=1.5)]
    table = Results.read(make_store(step_times=measured, name="gpu")).table("T2")
    assert "Not yet measured" not in table.html()
    assert row_of(table, device="cuda")["compile_seconds"] == 1.5


def test_the_content_hash_is_of_what_is_printed(make_store):
    table = Results.read(make_store()).table("T1")
    other = Results.read(make_store(RECORDS[:-1], name="other")).table("T1")
    assert table.digest != other.digest
    assert table.select(["model"], lambda row: row["lag"] == 10).digest == table.digest


def test_reports_need_no_torch():
    modules = "page, folder, tables, figures, notebooks, cite"
    code = f"import sys; from seqbench.report import {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_of_one_s_own_among_the_tables_is_named_and_kept(store):
    write_tables(store)
    mine = store.path / "tables" / "thesis.tex"
    mine.write_text("two years of work")
    (store.path / "tables" / "T99.csv").write_text("of an older seqbench")
    with pytest.raises(BadInput, match=r"thesis\.tex is no file of a table; move it away"):
        write_tables(store)
    assert mine.read_text() == "two years of work"
    mine.unlink()
    (store.path / "tables" / ".DS_Store").write_text("")
    write_tables(store)
    assert check_tables(store) == []
    assert not (store.path / "tables" / "T99.csv").exists()


def test_the_tables_of_a_sealed_folder_are_not_written_anew(store):
    write_tables(store)
    store.seal()
    with pytest.raises(BadInput, match="is sealed: its tables are not written anew"):
        write_tables(store)
    assert check_tables(store) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"instrument": "gates"}, "the probe by gates of .* has no such series .*: KeyError"),
        ({"instrument": "gates", "series": {"f/auc": [1.0], "f/relevant": [1.0], "f/distracting": []}}, "ValueError"),
        ({"instrument": "age", "series": {"accuracy": [1.0]}}, "by age of .* ValueError"),
        ({"instrument": "attention", "series": {"share": [None], "even": [1.0]}}, "ValueError"),
        ({"series": {"hidden": [1.0, -1.0, 1.0, 1.0]}}, "TypeError"),
        ({"series": {"hidden": [1.0, 5e-324, 1e300]}}, "a statistic is not finite"),
    ],
)  # fmt: skip
def test_a_probe_of_a_stranger_that_no_instrument_gives_is_named(make_store, changes, why):
    if changes.get("instrument") == "gates" and "series" not in changes:
        changes = changes | {"series": {"f/auc": [1.0]}}
    store = make_store()
    store.add_probes("all", [probe(**changes)])
    with pytest.raises(BadInput, match=why) as caught:
        Results.read(store).table("T11")
    assert "\n" not in str(caught.value)
