"""Any text stays a text in every output: read back by what reads that output, it is what it was."""

import csv
import re
from html.parser import HTMLParser
from io import StringIO

import matplotlib.figure
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.text import Text
from rich.console import Console

from seqbench.text import LONGEST, code, csv_cell, html, label, markdown, printable, shorten, tex

HOSTILE = [
    "{{ cycler.__init__.__globals__.os.popen('touch here').read() }}",
    '<script>alert(1)</script>"><img src=x onerror=alert(1)>',
    "</td></tr></table>&lt;",
    r"\input{/etc/passwd} \write18{touch here} % rest",
    "$x$ $$y$$ \\(z\\) \\begin{align}a\\end{align} ~^_&#",
    "a | b || c |",
    "`a` ``b`` ```{eval-rst} ~~~ ::: {note}",
    "[x](javascript:alert(1)) ![x](http://a.b/c.png) <http://a.b> http://a.b [^1] [x]: y",
    "\x1b[31mred\x1b]8;;http://a.b\x07 \x9b2J \r\n\t\v\f \x00",
    "up\u202edown\u2066over\u2069 \u2028 \u2029 \ufeff \u200b \ud800",
    "@comment{x} }} {{ }",
    "# a",
    "- a",
    "1. a",
    "1) a",
    "> a",
    "+ a",
    "* a",
    "=== ---",
    "    four blanks",
    "\u00a0hard\u2003blanks \u3000",
    "   ",
    "",
    "\\",
    "\\\\|",
    "[bold]a[/bold] :smile:",
    "-- --- '' ?` !` << >>",
    "=1+1 @sum(A1)",
    "{doc}`intro` {cite:p}`x` (target)= % comment +++",
    "é Ü ß − µ ≤ – “ ” σ 漢 😀",
]
anything = st.text(st.characters(), max_size=60) | st.sampled_from(HOSTILE)


def examples(test):
    for text in HOSTILE:
        test = example(text)(test)
    return test


class Read(HTMLParser):
    """The text of a piece of HTML, its tags, and the title of the last of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.title = "", [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.title = dict(attributes).get("title")

    def handle_data(self, data):
        self.text += data


@given(anything)
@examples
def test_printable_is_one_line_that_moves_no_cursor(text):
    shown = printable(text)
    assert shown.splitlines() in ([shown], [])
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]", shown)
    shown.encode("utf-8")  # no half of a pair
    assert printable(shown) == shown


def test_what_can_be_seen_is_left_alone_and_the_rest_is_spelled():
    assert printable("naïve − 漢字 [a] 😀") == "naïve − 漢字 [a] 😀"
    assert printable("\x1b[31m\n\u202e\ud800") == r"\x1b[31m\n\u202e\ud800"


def test_a_long_text_is_cut():
    assert shorten("a" * LONGEST) == "a" * LONGEST
    assert shorten("a" * (LONGEST + 1)) == "a" * (LONGEST - 1) + "…"
    assert len(label("$" * 1000).replace("\\", "")) == 60


@given(anything)
@examples
def test_html_is_read_back(text):
    read = Read(f'<b title="{html(text)}">{html(text)}</b>')
    assert (read.text, read.title, read.tags) == (printable(text), printable(text), ["b"])


def rendered(text: str) -> Read:
    return Read(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


@given(anything)
@examples
def test_markdown_is_read_back_as_a_paragraph(text):
    read = rendered(f"{markdown(text)}\n")
    assert read.text.rstrip("\n") == printable(text)
    assert set(read.tags) <= {"p"}


@given(anything)
@examples
def test_markdown_is_read_back_within_a_sentence_and_a_list(text):
    read = rendered(f"- so: {markdown(text)}.\n")
    assert read.text.strip("\n") == f"so: {printable(text)}."
    assert read.tags == ["ul", "li"]


@given(anything)
@examples
def test_markdown_is_read_back_as_a_cell_of_a_table(text):
    read = rendered(f"| a | b |\n| --- | --- |\n| x{markdown(text)}x | end |\n")
    assert read.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert f"\nx{printable(text)}x\nend\n" in read.text


@given(anything)
@examples
def test_code_is_read_back(text):
    read = rendered(f"at {code(text)}, it was\n")
    assert read.text == f"at {printable(text)}, it was\n"
    assert read.tags == ["p", "code"] if text.strip() else ["p"]


MACROS = {
    r"\textbackslash{}": "\\", r"\textbraceleft{}": "{", r"\textbraceright{}": "}",
    r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textbar{}": "|",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\texttt{\char34}": '"', r"\`{}": "`",
    "{[}": "[", "{*}": "*", "-{}": "-", "'{}": "'",
    r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_",
}  # fmt: skip
TOKEN = re.compile("|".join(map(re.escape, MACROS)) + r"|[^\\{}$&%#_~^|<>\"`*\[-]|-(?!-)")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
@example("".join(text for text in HOSTILE if text.isascii() and text.isprintable()))
def test_tex_is_read_back_sign_by_sign(text):
    at, read = 0, ""
    written = tex(text)
    while at < len(written):
        token = TOKEN.match(written, at)
        assert token, written[at:]  # else a special sign stands there by itself
        read += MACROS.get(token[0], token[0])
        at = token.end()
    assert read == text


@given(anything)
@examples
def test_tex_is_ascii_and_its_braces_are_in_pairs(text):
    written = tex(text)
    assert written.isascii()
    depth = 0
    for sign in written:  # as BibTeX counts: a backslash changes nothing
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0


def test_tex_prints_the_signs_of_the_tables_and_spells_those_that_it_has_not():
    assert tex("− ± ≤ µ") == r"$-$ $\pm$ $\leq$ $\mu$"
    assert tex("Delétang, Çelik") == r"Del\'{e}tang, \c{C}elik"
    assert tex("漢") == "{[}U+6F22]"


@given(anything)
@examples
def test_a_cell_of_csv_is_read_back_and_is_no_formula(text):
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerow([csv_cell(text), "end"])
    ((read, end),) = csv.reader(StringIO(out.getvalue()))
    assert read.removeprefix("'") == printable(text).removeprefix("'")
    assert read[:1] not in ("=", "+", "-", "@")
    assert end == "end"


@given(anything)
@examples
def test_matplotlib_draws_no_maths(text):
    drawn = Text(text=label(text))
    drawn.set_figure(matplotlib.figure.Figure())
    shown, maths = drawn._preprocess_math(drawn.get_text())
    assert maths is False
    assert shown == shorten(text, 60)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_shows_it_without_colours(text):
    from rich.text import Text as Cell

    console = Console(force_terminal=True, width=1000, color_system="truecolor")
    with console.capture() as captured:
        console.print(Cell(printable(text)), highlight=False)
    assert "\x1b" not in captured.get()
    assert printable(text).rstrip() in captured.get()
