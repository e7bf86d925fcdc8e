r"""Escaping of text for pages, tables, figures and terminals.

Results may come from an untrusted source. Each function takes any text and returns its escaped form, which the output
format shows as exactly that text, without tags, links, commands or colours. Text is escaped once, where it is written.

==============  =====================================================================================
``printable``   a terminal, a message, RIS, a comment: one line, invisible characters as ``\x1b``
``html``        HTML, between tags and in quoted attributes
``markdown``    Markdown, in a paragraph, a list or a cell of a table; ``code`` as a piece of code
``tex``         LaTeX, and the fields of BibTeX
``csv_cell``    CSV
``label``       matplotlib
==============  =====================================================================================
"""

import re
from html import escape
from string import punctuation
from typing import Final
from unicodedata import category, normalize

LONGEST: Final = 500  # characters of a text in a record
LONGEST_LABEL: Final = 60  # characters that fit beside an axis

# Unicode categories: control, format and surrogate characters, line and paragraph separators.
INVISIBLE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """Return the text on one line, with control and invisible characters as escapes."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if category(char) in INVISIBLE else char
        for char in text
    )


def shorten(text: str, most: int = LONGEST) -> str:
    """Return the text on one line of at most ``most`` characters; an ellipsis replaces the rest."""
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def html(text: str) -> str:
    """Return the text for HTML, also for an attribute in quotes."""
    return escape(printable(text))


# A backslash escapes any ASCII punctuation. A bar becomes an entity, since some table parsers split at "\|".
PLAIN: Final = str.maketrans({sign: f"\\{sign}" for sign in punctuation} | {"|": "&#124;"})


def markdown(text: str) -> str:
    """Return the text for Markdown with any extensions: punctuation is escaped, blanks at the ends are kept."""
    plain = printable(text).translate(PLAIN)
    return re.sub(r"^ +| +$|[^\S ]", lambda m: "".join(f"&#{ord(c)};" for c in m[0]), plain)


def code(text: str) -> str:
    """Return the text as inline code in Markdown; the fence is longer than any run of backticks in it."""
    shown = printable(text)
    if not shown.strip():
        return markdown(text)  # Markdown has no empty code
    inner = shown if "`" not in shown and shown == shown.strip() else f" {shown} "
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}{inner}{fence}"


# BibTeX counts braces even after a backslash, so none is left unbalanced. A bracket or a star after the end of a row
# would be read as its argument. LaTeX's default fonts have straight quotes only in typewriter, and other characters in
# the places of the bar and of < and >.
SIGNS: Final = {
    **{sign: f"\\{sign}" for sign in "&%$#_"},
    **{sign: f"{{{sign}}}" for sign in "[*"},
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}",
    "<": r"\textless{}", ">": r"\textgreater{}", '"': r"\texttt{\char34}", "`": r"\`{}",
    "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}", "§": r"\S{}",
    "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "\u00a0": "~",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "²": "$^2$", "³": "$^3$",
    "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", "→": r"$\to$", "∞": r"$\infty$",
    "µ": r"$\mu$", "μ": r"$\mu$", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$",
    "δ": r"$\delta$", "ε": r"$\epsilon$", "λ": r"$\lambda$", "ρ": r"$\rho$", "σ": r"$\sigma$",
    "τ": r"$\tau$",
}  # fmt: skip
ACCENTS: Final = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def tex(text: str) -> str:
    """Return the text for LaTeX without packages; an unsupported character is written as its code point."""
    written = "".join(map(_tex_sign, printable(text)))
    return re.sub("-(?=-)|'(?=')", r"\g<0>{}", written)  # otherwise they form ligatures


def _tex_sign(char: str) -> str:
    if char in SIGNS or char.isascii():
        return SIGNS.get(char, char)
    parts = normalize("NFD", char)
    letter, mark = parts[0], parts[1:]
    if letter.isascii() and letter.isalpha() and mark in ACCENTS:
        return f"\\{ACCENTS[mark]}{{{letter}}}"
    return f"{{[}}U+{ord(char):04X}]"


def csv_cell(text: str) -> str:
    """Return the text for a cell of CSV; the csv module does the quoting.

    A spreadsheet reads a text that begins with one of these characters as a formula, which may run programs. A leading
    apostrophe marks it as text.
    """
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def label(text: str) -> str:
    """Return the text for Matplotlib, with dollars escaped, which would start maths, and shortened."""
    return shorten(text, LONGEST_LABEL).replace("$", r"\$")
