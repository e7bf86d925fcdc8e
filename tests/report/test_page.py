import made
import pytest

from seqbench.records.schema import Planned
from seqbench.report.page import Page, Text

from .conftest import record


def test_findings_are_counted(store):
    text = Page(store.path, "adding").findings().markdown
    assert "- Length of 10 steps: all seeds of lstm solved; 1 of 2 of rnn." in text
    assert "- Length of 50 steps: 1 of 2 of lstm; no seed of rnn." in text
    assert (
        "With 2 seeds, 2 of 2 is compatible with a solve rate down to 0.34" in text
    )  # 2 / (2 + z²)


def test_the_overview_is_of_the_longest_lag(store):
    (line,) = [
        line for line in Page(store.path).overview().markdown.splitlines() if "adding" in line
    ]
    assert line == "| [adding](notebooks/adding.html) | length of 50 steps | – | lstm | rnn |"


def test_the_setting_is_that_of_the_records(store):
    text = Page(store.path, "adding").setting().markdown
    assert "Lag: the length in steps." in text
    assert "chance 0.0784; solved at 0.9 or more" in text
    assert "500 steps of 32 sequences" in text
    assert "learning rate 0.01" in text


def test_provenance_names_edition_commit_and_machine(store):
    text = repr(Page(store.path).provenance())
    assert "Edition local" in text
    assert "`000000000000`" in text
    assert "abacus, 2 cores" in text


def test_a_task_page_shows_its_part_of_the_table(store):
    table = Page(store.path, "adding").table()
    assert len(table.rows) == 4
    assert "Part of T1" in table.html()


def test_evidence_stands_under_its_claim_with_links_to_its_pages(store):
    text = repr(Page(store.path).evidence())
    assert text.count("**") == 2 * 23
    (claim,) = [part for part in text.split("\n\n**") if part.startswith("tbptt")]
    assert claim.startswith("tbptt: not settled.** *Truncated backpropagation cannot learn")
    assert "- missing: runs of temporal-order 15 lstm: 0 of 10" in claim
    assert "](notebooks/temporal-order.html)" in claim.splitlines()[-1]


def test_files_are_linked_beside_their_tables(store):
    html = Page(store.path).downloads().html
    for ending in ("csv", "json", "tex", "html", "bib", "ris"):
        assert f'href="tables/local/T1.{ending}"' in html


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("task", [None, "copy"])
def test_where_nothing_was_measured_one_line_says_so(make_store, tmp_path, task, there):
    folder = make_store([], []).path if there else tmp_path / "nowhere"
    page = Page(folder, task)
    said = page.table() if task else page.accuracy()
    assert isinstance(said, Text)
    assert "Nothing was measured yet" in said.markdown
    shown = [
        page.setting,
        page.solve_rate,
        page.scores,
        page.learning_curves,
        page.steps_to_solve,
        page.heat_map,
    ]
    shown += [page.step_times, page.scan_times, page.findings, page.provenance]
    assert [show() for show in shown] == [None] * len(shown)
    for show in (page.overview, page.throughput, page.sensitivity):
        assert isinstance(show(), Text)


def test_a_device_that_was_not_measured_is_named_in_its_place(make_store):
    page = Page(make_store().path)
    assert "<svg" in page.step_times("cpu").html
    assert page.step_times("cuda").markdown == "*Not yet measured on a GPU.*"
    both = Page(make_store(step_times=[made.throughput(device="cuda")], name="gpu").path)
    assert "<svg" in both.step_times("cuda").html
    assert "Not yet measured" in both.step_times("cpu").markdown


def test_scans_are_compared_where_there_are_several(make_store):
    times = [made.throughput(scan=scan) for scan in ("native", "reference")]
    assert "<svg" in Page(make_store(step_times=times).path).scan_times("cpu").html
    assert Page(make_store(step_times=times, name="cpu").path).scan_times("cuda") is None
    assert Page(make_store(name="one").path).scan_times("cpu") is None


def test_what_is_planned_and_was_not_run_is_listed(store):
    assert repr(Page(store.path).missing()) == (
        "- **core**: 1 of 5 conditions: moving-shapes 5 cnn_lstm."
    )


def test_the_core_and_what_is_beyond_it_are_apart(make_store):
    plain = record(score=1.0)
    deep = plain.unit.model_copy(update={"layers": 2})
    variant = plain.model_copy(update={"unit": deep, "unit_id": deep.id})
    plan = [Planned(unit=u, part=p, seeds=2) for u, p in ((plain.unit, "core"), (deep, "late"))]
    page = Page(make_store([plain, variant], plan=plan).path)
    assert [row["model"] for row in page.accuracy().values] == ["lstm"]
    assert [row["model"] for row in page.beyond().values] == ["lstm:layers=2"]
    assert page.runs["model"].tolist() == ["lstm"]
    assert (
        page.missing().markdown == "- **core**: 0 of 1 conditions.\n- **late**: 0 of 1 conditions."
    )


def test_claims_aggregates_and_pairs_stand_in_their_tables(store):
    page = Page(store.path)
    assert [page.claims().id, page.aggregates().id, page.pairs().id] == ["T14", "T8", "T9"]
    assert "seqbench baselines" in page.baselines().markdown
