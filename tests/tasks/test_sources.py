"""A data set is found, fetched once, or refused with one clear line."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO, StringIO
from pathlib import Path
from threading import Event, Thread
from zipfile import ZipFile

import pooch
import pytest

from seqbench.errors import BadInput, DataMissing
from seqbench.tasks import sources

BYTES = b"a small book"
SOURCE = sources.Source(
    name="book",
    file="book.txt",
    licence="public domain",
    bytes=len(BYTES),
    sha256=sha256(BYTES).hexdigest(),
    addresses=(),
)


def packed(**files: bytes) -> bytes:
    """Return an archive, each file in a folder of its own."""
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"in/{name}/{name}.txt", text)
    return content.getvalue()


PAGES = {
    "/right": BYTES,
    "/shelf.zip": packed(magazine=b"not a book", book=BYTES),
    "/wrong.zip": packed(magazine=b"not a book", book=b"another book"),
    "/empty.zip": packed(magazine=b"not a book"),
}


class Server(ThreadingHTTPServer):
    """Answers ``/right`` with the book, ``/never`` not at all, and what it does not know with another book."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.end = Event()

    def at(self, *paths: str) -> tuple[str, ...]:
        return tuple(f"http://127.0.0.1:{self.server_port}{path}" for path in paths)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/never":
            self.server.end.wait(10)
            return
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        self.wfile.write(PAGES.get(self.path, b"another book"))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.end.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """The user's directory, named by the variable; the cache is empty, too, and a book is known."""
    monkeypatch.setenv("SEQBENCH_DATA", str(tmp_path / "own"))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(sources, "SOURCES", (SOURCE,))
    monkeypatch.setattr(sources, "PATIENCE", 2.0)
    return tmp_path / "own" / "book" / "book.txt"


@pytest.fixture
def log(monkeypatch) -> StringIO:
    """What pooch says: it would go to standard error."""
    stream = StringIO()
    logger = pooch.get_logger()
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logger, "handlers", [logging.StreamHandler(stream)])
    return stream


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_found_where_the_variable_says(own):
    put(own, BYTES)
    put(own.parents[2] / "cache" / "seqbench" / "book" / "book.txt", b"not looked at")
    assert sources.locate("book", "book.txt") == own
    assert sources.list_status()[0]["found"] == str(own)


@pytest.mark.parametrize("variable", ["", None, "elsewhere"])
def test_found_in_the_cache(own, monkeypatch, variable):
    if variable is None:
        monkeypatch.delenv("SEQBENCH_DATA")
    else:
        monkeypatch.setenv("SEQBENCH_DATA", variable)
    cached = put(own.parents[2] / "cache" / "seqbench" / "book" / "book.txt", BYTES)
    assert sources.locate("book", "book.txt") == cached


def test_other_bytes_are_refused_with_both_hashes(own):
    put(own, b"another book")
    with pytest.raises(BadInput) as caught:
        sources.locate("book", "book.txt")
    assert not isinstance(caught.value, DataMissing)
    for part in (str(own), SOURCE.sha256, sha256(b"another book").hexdigest()):
        assert part in str(caught.value)
    assert sources.list_status()[0]["found"] == f"differs: {own}"


def test_missing_is_said_in_one_line(own):
    with pytest.raises(DataMissing) as caught:
        sources.locate("book", "book.txt")
    line = str(caught.value)
    assert "\n" not in line
    for part in ("'book'", str(own.parent), "cache", "SEQBENCH_DATA", "book/book.txt"):
        assert part in line
    assert sources.list_status()[0]["found"] == "missing"


def refused(kind: type[BadInput] = BadInput) -> str:
    """Return the one line with which the book is refused."""
    with pytest.raises(BadInput) as caught:
        sources.locate("book", "book.txt")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_cache_that_can_not_be_written_to_is_said_in_one_line(own, server, monkeypatch, capfd):
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=server.at("/right")),))
    cache = put(own.parents[2] / "cache", b"a file in its place")
    line = refused(DataMissing)
    assert f"since {cache / 'seqbench' / 'book'} can't be written to (not a directory)" in line
    assert line.endswith("set SEQBENCH_DATA to a directory that holds book/book.txt")
    assert server.asked == []
    assert capfd.readouterr() == ("", "")


def test_a_file_that_can_not_be_read_is_named(own, monkeypatch):
    def deny(self):
        raise PermissionError(13, "Permission denied")

    put(own, BYTES)
    monkeypatch.setattr(Path, "read_bytes", deny)
    assert refused() == f"{own} can't be read (permission denied); let it be read, or remove it"
    assert sources.list_status()[0]["found"] == f"unreadable: {own}"


def test_a_directory_in_the_place_of_the_file_is_named(own):
    own.mkdir(parents=True)
    assert refused() == f"{own} is a directory; put the file book.txt in its place"
    assert sources.list_status()[0]["found"] == f"unreadable: {own}"


def test_a_link_that_leads_nowhere_is_a_missing_file(own, server, monkeypatch):
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=server.at("/right")),))
    own.parent.mkdir(parents=True)
    own.symlink_to("nowhere")
    assert sources.locate("book", "book.txt").read_bytes() == BYTES


def test_a_variable_that_names_a_file_is_told(own, monkeypatch):
    file = put(own.parents[2] / "file", b"no directory")
    monkeypatch.setenv("SEQBENCH_DATA", str(file))
    assert refused() == f"SEQBENCH_DATA is '{file}', which is no directory"
    with pytest.raises(BadInput, match="which is no directory"):
        sources.list_status()


def test_unknown_names_are_answered_with_the_known(own):
    with pytest.raises(
        BadInput, match=r"unknown data set 'bok/book.txt'; did you mean 'book/book.txt'"
    ):
        sources.locate("bok", "book.txt")


def test_fetched_once(own, server, monkeypatch, log, capfd):
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=server.at("/right")),))
    path = sources.locate("book", "book.txt")
    assert path.read_bytes() == BYTES
    assert path.is_relative_to(own.parents[2] / "cache")
    assert sources.locate("book", "book.txt") == path
    assert server.asked == ["/right"]
    assert (log.getvalue(), *capfd.readouterr()) == ("", "", "")


def test_a_file_is_taken_out_of_an_archive(own, server, monkeypatch):
    bad = [f"{page}#book.txt" for page in ("/wrong.zip", "/empty.zip", "/wrong")]
    addresses = server.at(*bad, "/shelf.zip#book.txt")
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=addresses),))
    path = sources.locate("book", "book.txt")
    assert path.read_bytes() == BYTES
    assert server.asked == ["/wrong.zip", "/empty.zip", "/wrong", "/shelf.zip"]
    assert [file.name for file in path.parent.iterdir()] == ["book.txt"]


def test_of_an_archive_only_what_it_holds_counts(own, server, monkeypatch):
    lines = "".join(
        f"{sha256(text).hexdigest()}  {name}.txt\n"
        for name, text in (("book", BYTES), ("book2", b"the second part"))
    )
    library = replace(
        SOURCE,
        file="books.zip",
        sha256=sha256(lines.encode()).hexdigest(),
        members="*book*.txt",
        addresses=server.at("/wrong", "/wrong.zip", "/library.zip"),
    )
    monkeypatch.setattr(sources, "SOURCES", (library,))
    two = {"book2": b"the second part", "book": BYTES}
    monkeypatch.setitem(PAGES, "/library.zip", packed(**two, magazine=b"not a book"))
    fetched = sources.locate("book", "books.zip")
    assert server.asked == ["/wrong", "/wrong.zip", "/library.zip"]
    assert ZipFile(fetched).read("in/book2/book2.txt") == b"the second part"
    mine = put(own.with_name("books.zip"), packed(**two))
    assert mine.read_bytes() != fetched.read_bytes()
    assert sources.locate("book", "books.zip") == mine
    put(mine, packed(book=BYTES))
    with pytest.raises(BadInput, match="not the file it should be"):
        sources.locate("book", "books.zip")
    assert sources.describe_place(library) == f"differs: {mine}"


def test_a_large_file_is_given_the_time_it_takes(own, server, monkeypatch):
    monkeypatch.setattr(sources, "PATIENCE", 0.01)
    monkeypatch.setattr(sources, "RATE", 1)  # twelve seconds for twelve bytes
    monkeypatch.setattr(pooch, "HTTPDownloader", slow(0.3))
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=server.at("/right")),))
    assert sources.locate("book", "book.txt").read_bytes() == BYTES


def slow(seconds: float):
    def make(timeout: float):
        def download(url: str, file: str, _: object) -> None:
            time.sleep(seconds)
            Path(file).write_bytes(BYTES)

        return download

    return make


@pytest.mark.parametrize("first", ["/gone", "/wrong", "/never"])
def test_the_second_address_serves_where_the_first_does_not(
    own, server, monkeypatch, first, log, capfd
):
    addresses = server.at(first, "/right")
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=addresses),))
    assert sources.locate("book", "book.txt").read_bytes() == BYTES
    assert server.asked == [first, "/right"]
    assert (log.getvalue(), *capfd.readouterr()) == ("", "", "")


@pytest.mark.parametrize("paths", [("/gone", "/wrong"), ("/never",) * 8])
def test_a_fetch_fails_in_time_in_silence_and_for_good(own, server, monkeypatch, paths, log, capfd):
    monkeypatch.setattr(sources, "PATIENCE", 0.5)
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=server.at(*paths)),))
    with pytest.raises(DataMissing):
        sources.locate("book", "book.txt")
    # each that never answers has half of the time: it is up before the last of eight is asked
    assert paths != ("/never",) * 8 or len(server.asked) < len(paths)
    assert (log.getvalue(), *capfd.readouterr()) == ("", "", "")
    assert sources.list_status()[0]["found"] == "missing"


def test_a_home_that_can_not_be_written_to_is_a_failed_fetch(own, server, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "file" / name)
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=server.at("/right")),))
    with pytest.raises(DataMissing):
        sources.locate("book", "book.txt")


def test_a_host_without_a_name_is_a_failed_fetch(own, monkeypatch):
    nowhere = ("http://no-such-host.invalid/book.txt", "http://127.0.0.1:9/book.txt")
    monkeypatch.setattr(sources, "SOURCES", (replace(SOURCE, addresses=nowhere),))
    with pytest.raises(DataMissing):
        sources.locate("book", "book.txt")


def test_the_table_is_what_it_says():
    for source in sources.SOURCES:
        assert len(source.sha256) == 64
        assert source.licence
        assert source.addresses
        place = sources.describe_place(source)
        if place != "missing" and not source.members:  # an archive may be packed in other ways
            assert Path(place).stat().st_size == source.bytes
