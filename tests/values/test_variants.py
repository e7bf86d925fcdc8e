import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqbench.errors import BadInput
from seqbench.values.variants import parse, spell, strip_options

words = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
    lambda w: w not in ("true", "false", "nan", "inf", "infinity")
)
values = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words
)


@given(name=words, options=st.dictionaries(words, values, max_size=4))
def test_what_is_spelled_is_read_again(name, options):
    spelling = spell(name, options)
    again_name, again = parse(spelling)
    assert (again_name, again, strip_options(spelling)) == (name, options, name)
    assert [type(again[o]) for o in options] == [type(options[o]) for o in options]
    assert spell(again_name, again) == spelling


@pytest.mark.parametrize(
    ("spelling", "name", "options"),
    [
        ("lstm", "lstm", {}),
        ("lstm:layers=2:dropout=0.3", "lstm", {"layers": 2, "dropout": 0.3}),
        ("pixel-mnist:permuted", "pixel-mnist", {"permuted": True}),
        ("transformer:positions=none", "transformer", {"positions": "none"}),
    ],
)
def test_an_option_is_a_number_a_truth_or_a_word(spelling, name, options):
    assert parse(spelling) == (name, options)


def test_an_option_is_given_once():
    with pytest.raises(BadInput, match="option 'hidden' of 'lstm' is given twice"):
        parse("lstm:hidden=3:hidden=4")


@pytest.mark.parametrize("value", ["٣", "9" * 5000])
def test_what_is_no_number_of_a_reasonable_length_is_no_whole_number(value):
    assert type(parse(f"lstm:hidden={value}")[1]["hidden"]) is not int
