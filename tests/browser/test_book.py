"""The built book, in a headless Chromium: from disk and from a plain file server, asking no other host for anything."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

HTML = Path(__file__).parents[2] / "book" / "_build" / "html"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PAGES = ["intro", "accuracy", "notebooks/adding", "models/lstm"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.skipif(
        not (HTML / "intro.html").is_file(), reason="the book is not built: nox -s book"
    ),
]


class Site(SimpleHTTPRequestHandler):
    """A plain file server that asks the browser to report whatever a page wants from another host."""

    wanted: list[str]

    def end_headers(self) -> None:
        policy = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data:; report-uri /wanted"
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.wanted.append(self.rfile.read(length).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, list[str]]]:
    """Return the address of the book, and the reports on what its pages wanted from elsewhere."""
    wanted: list[str] = []
    handler = partial(type("Here", (Site,), {"wanted": wanted}), directory=str(HTML))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", wanted
        server.shutdown()


def dom(url: str, profile: Path) -> str:
    """Return a page as it is once its scripts have run."""
    quiet = [
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    ]
    flags = ["headless", "disable-gpu", "disable-quic", *quiet, f"user-data-dir={profile}"]
    flags += ["no-sandbox"] if os.getuid() == 0 else []
    command = [
        str(CHROMIUM),
        *(f"--{flag}" for flag in flags),
        "--virtual-time-budget=5000",
        "--dump-dom",
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_no_page_asks_another_host(served, tmp_path):
    address, wanted = served
    for name in PAGES:
        dom(f"{address}/{name}.html", tmp_path / "profile")
    assert wanted == []


def test_what_another_host_is_asked_for_would_be_seen(served, tmp_path):
    address, wanted = served
    (HTML / "asks.html").write_text('<img src="http://192.0.2.1/picture.png">')
    try:
        dom(f"{address}/asks.html", tmp_path / "profile")
    finally:
        (HTML / "asks.html").unlink()
    assert any("192.0.2.1" in report for report in wanted)
    wanted.clear()


def test_nothing_is_named_to_be_loaded_from_elsewhere():
    for page in HTML.rglob("*.html"):
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]+)"', text)
        loaded += re.findall(
            r'<link\b[^>]*rel="(?:stylesheet|preload|icon)"[^>]*\bhref="([^"]+)"', text
        )
        assert [url for url in loaded if re.match(r"(?:https?:)?//", url)] == [], page


def test_formulas_are_drawn_when_opened_from_disk(tmp_path):
    equations = dom((HTML / "models" / "lstm.html").as_uri(), tmp_path / "profile")
    assert equations.count("<mjx-container") >= 1
    assert "<svg" in equations.partition("<mjx-container")[2]
    assert "mjx-merror" not in equations


@pytest.mark.parametrize(
    ("name", "number"),
    [("accuracy", "T8"), ("claims", "T14"), ("throughput", "T2")],
)
def test_a_table_of_a_page_is_that_of_the_file(name, number):
    linked = re.findall(
        rf'href="(tables/[^"]+/{number}\.html)"', (HTML / "accuracy.html").read_text("utf-8")
    )
    if not linked:
        pytest.skip(f"the results of this book have no {number}")
    table = (HTML / linked[0]).read_text("utf-8")
    assert "<table" in table
    assert table in (HTML / f"{name}.html").read_text("utf-8")


def rows(table: str) -> list[list[str]]:
    """Return the texts of the cells of a table, row by row."""
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall("<td.*?</td>", row, re.DOTALL)]
        for row in re.findall("<tr.*?</tr>", table, re.DOTALL)
    ]


def part_and_file(name: str, number: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows of the part of a table that a page shows, and those of its file."""
    page = (HTML / f"{name}.html").read_text("utf-8")
    linked = re.findall(
        rf'href="(tables/[^"]+/{number}\.html)"', (HTML / "accuracy.html").read_text("utf-8")
    )
    if not linked:
        pytest.skip(f"the results of this book have no {number}")
    caption = rf'<caption><span class="number">Part of {number}</span>.*?</table>'
    (table,) = re.findall(caption, page, re.DOTALL)
    return rows(table), rows((HTML / linked[0]).read_text("utf-8"))


def test_the_rows_of_the_core_are_those_of_the_file():
    shown, whole = part_and_file("accuracy", "T1")
    assert len(shown) > 10
    assert all(row in whole for row in shown)


def test_the_rows_of_the_ledger_are_those_of_the_file_but_for_what_differs():
    shown, whole = part_and_file("ledger", "T10")
    assert len(shown) > 10
    assert shown == [row[:-1] for row in whole]


def test_every_link_within_the_book_leads_somewhere():
    for page in HTML.rglob("*.html"):
        for target in re.findall(r'<a\b[^>]*\bhref="([^"#?]+)', page.read_text("utf-8")):
            if not re.match(r"\w+:|//", target):
                assert (page.parent / target).exists(), f"{page.relative_to(HTML)} -> {target}"
