r"""How a text is written into a page, a table, a figure or a terminal, so that it stays a text there.

Results come from anywhere, and what they say is data. Each function takes any text and returns what its output shows
as that text: no tag, link, command or colour begins in it. Whoever writes calls one of them once; nobody else escapes.

==============  =====================================================================================
``printable``   a terminal, a message, RIS, a comment: one line, what has no shape is spelled as ``\x1b``
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
LONGEST_LABEL: Final = 60  # beside an axis there is no room for more

# Controls, marks of direction and other marks without a shape, halves of pairs, ends of lines and of paragraphs.
INVISIBLE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """Return the text on one line, with whatever moves the cursor or can't be seen spelled out."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if category(char) in INVISIBLE else char
        for char in text
    )


def shorten(text: str, most: int = LONGEST) -> str:
    """Return the text on one line of so many characters at most; dots stand for the rest."""
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def html(text: str) -> str:
    """Return the text for HTML, also for an attribute in quotes."""
    return escape(printable(text))


# A backslash makes any ASCII punctuation plain. A bar is named by its number: some readers of tables take "\|" apart.
PLAIN: Final = str.maketrans({sign: f"\\{sign}" for sign in punctuation} | {"|": "&#124;"})


def markdown(text: str) -> str:
    """Return the text for Markdown with any extensions: each sign of punctuation is plain, each blank is kept."""
    plain = printable(text).translate(PLAIN)
    return re.sub(r"^ +| +$|[^\S ]", lambda m: "".join(f"&#{ord(c)};" for c in m[0]), plain)


def code(text: str) -> str:
    """Return the text as a piece of code in Markdown, in a paragraph; a fence is longer than any within."""
    shown = printable(text)
    if not shown.strip():
        return markdown(text)  # Markdown knows no empty code
    inner = shown if "`" not in shown and shown == shown.strip() else f" {shown} "
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}{inner}{fence}"


# BibTeX counts braces even behind a backslash, so none stands alone. A bracket or a star after the end of a row would
# be an argument of that end. The fonts that LaTeX begins with have no straight quotes but in their typewriter face, and
# other signs in the places of the bar and of < and >.
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
    """Return the text for LaTeX without any package; a sign that it can't print stands there by its number."""
    written = "".join(map(_tex_sign, printable(text)))
    return re.sub("-(?=-)|'(?=')", r"\g<0>{}", written)  # else two become one other sign


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

    A spreadsheet takes what begins with one of these signs for a formula, which may run programs. An apostrophe is its
    mark of a text.
    """
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def label(text: str) -> str:
    """Return the text for matplotlib, which takes what stands between two dollars for maths; a long one is cut."""
    return shorten(text, LONGEST_LABEL).replace("$", r"\$")
