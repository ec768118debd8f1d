"""Lines into words, as a shell does, but kind to plain English."""

import itertools
import shlex
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mentra_trio.cli.words import QuoteError, split

ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
LINES = st.text(alphabet=string.ascii_letters + string.digits + " \t'\"\\#.,-日é", max_size=40)


def texts(line: str) -> list[str]:
    return [word.text for word in split(line)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("   \t ", []),
        ("say hello", ["say", "hello"]),
        ("  say   hello  ", ["say", "hello"]),
        ('say "good  morning"', ["say", "good  morning"]),
        ("say 'good  morning'", ["say", "good  morning"]),
        ("say don't panic, it's fine", ["say", "don't", "panic,", "it's", "fine"]),
        ("the dogs' bones", ["the", "dogs'", "bones"]),
        ("rock 'n' roll", ["rock", "n", "roll"]),
        ('a"b c"d', ["ab cd"]),
        ("\"it\"'s one' word", ["its one", "word"]),
        ('""', [""]),
        (r"a\ b", ["a b"]),
        (r"\'tis", ["'tis"]),
        (r'"a \"b\" c"', ['a "b" c']),
        (r'"a\\b"', [r"a\b"]),
        (r'"a\nb"', [r"a\nb"]),
        (r"'a\'", ["a\\"]),
        ("end\\", ["end\\"]),
        ("# all of it", []),
        ("say hi # and this", ["say", "hi"]),
        ("say C# rocks", ["say", "C#", "rocks"]),
        ('say "# one"', ["say", "# one"]),
        (r"say \# one", ["say", "#", "one"]),
        ("one\u00a0word", ["one\u00a0word"]),
    ],
)
def test_a_line_is_split_like_this(line: str, words: list[str]) -> None:
    assert texts(line) == words


@pytest.mark.parametrize("line", ['say "hello', "say 'tis", '"', "a '"])
def test_a_quote_that_is_never_closed_is_told(line: str) -> None:
    with pytest.raises(QuoteError, match="never closed; write"):
        split(line)


def test_a_long_rest_is_not_repeated() -> None:
    with pytest.raises(QuoteError) as caught:
        split('"' + "x" * 1000)

    assert len(str(caught.value)) < 100


@given(st.lists(ANY_TEXT.filter(lambda text: "\0" not in text), max_size=5))
def test_what_a_shell_would_be_given_in_quotes_comes_back(words: list[str]) -> None:
    assert texts(" ".join(map(shlex.quote, words))) == words


@given(LINES)
def test_a_shell_agrees_where_there_is_no_apostrophe_and_no_comment(line: str) -> None:
    assume("#" not in line)
    assume("\\" not in line[-1:])
    # An apostrophe after a letter is the one difference.
    assume(not any(quote == "'" and before.isalnum() for before, quote in itertools.pairwise(line)))
    try:
        expected = shlex.split(line)
    except ValueError:
        with pytest.raises(QuoteError):
            split(line)
    else:
        assert texts(line) == expected


@given(ANY_TEXT | LINES)
def test_any_text_is_split_or_refused_and_every_word_knows_its_place(line: str) -> None:
    try:
        words = split(line)
    except QuoteError:
        return

    end = 0
    for word in words:
        assert line[end : word.start].strip(" \t\r\n\f\v") == ""
        assert word.start < word.end
        end = word.end
        written = line[word.start : word.end]
        assert word.is_quoted or "\\" in written or word.text == written
    rest = line[end:].lstrip(" \t\r\n\f\v")
    assert rest == "" or rest.startswith("#")
