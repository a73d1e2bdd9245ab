from __future__ import annotations

import pytest

from model_runtime.retrieval import words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    self.total += price * 2", ["self", ".", "total", " +", "=", " price", " *", " 2"]),
        ("print(f'{name}: ok')", ["print", "(", "f", "'{name}: ok'", ")"]),
        ("x = 'a string that is too long to be a word of its own'", None),
        ("größe = 3.5e2", ["größe", " =", " 3.5e2"]),
        ("a = 1  # one", ["a", " =", " 1", "  ", "#", " one"]),
        ("", []),
    ],
)
def test_words_of_a_line(line: str, expected: list[str] | None) -> None:
    found = words.of_line(line)
    assert words.spelled(found) == line.strip()
    if expected is not None:
        assert [words.spelled([each]) for each in found] == expected


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("price", words.NAME),
        ("_price", words.NAME),
        ("MOST", words.CONSTANT),
        ("Price", words.TYPE),
        ("T", words.TYPE),
        ("42", words.NUMBER),
        ("'x'", words.STRING),
        ("return", "return"),
        ("(", "("),
        ('"', '"'),
        (words.LEVEL, words.LEVEL),
    ],
)
def test_kinds(word: str, kind: str) -> None:
    assert words.kind(word) == kind


@pytest.mark.parametrize(
    ("head", "expected"), [("x = fo", "fo"), ("x = ", ""), ("x = f(", ""), ("", ""), ("a.b", "b")]
)
def test_the_name_that_is_being_written(head: str, expected: str) -> None:
    assert words.unfinished(head) == expected
