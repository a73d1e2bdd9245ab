from __future__ import annotations

import inspect
import random
import re
import string
import time
from collections.abc import Callable
from pathlib import Path

import detect_secrets
import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins import keyword
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsp_server.context import secret_filter
from lsp_server.context.secret_filter import clean, detectors, secret_lines
from tests.support.listings import listing


@pytest.mark.parametrize(
    "line",
    [
        'password = "hunter2hunter2"',
        'def connect(host, password="s3cr3t-Value"):',
        "config = {'api_key': 'abc-DEF-123'}",
        "token='ghp_aK3xV9mQ2nR7tY1wZ5bC8dF4gH6jL0pS2uXe'",
        "aws = AKIAQ6WNBFR4ZLXKT3VD",
        'url = "postgres://me:pa55word@db.example.org/x"',
        "# password: hunter2",
        "x = 1  # the password: hunter2",
        "DB_PASSWORD=correcthorsebattery",
        "export API_KEY=abc",
        "    password: correct-horse-9",
        "see sk-ant-api03-Xy7Kq2LmN9pRtVwZaBcDeFgHiJ for it",
        '    """password: correct-horse-9"""',
        'Bearer = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"',
    ],
)
def test_a_line_with_a_secret_is_emptied(line: str) -> None:
    assert clean(f"before\n{line}\nafter") == "before\n\nafter"


@pytest.mark.parametrize(
    "line",
    [
        "def connect(host: str, password: str) -> None:",
        "self.password = password",
        "password = get_password(user)",
        "token = next(tokens)",
        'ip = "192.168.10.1"',
        "# the key of the dictionary",
        "secret: Optional[int]",
        "test_that_a_long_name_is_not_taken_for_a_key_2()",
    ],
)
def test_code_about_secrets_stays(line: str) -> None:
    assert clean(line) == line


@pytest.mark.parametrize("end", ["-----END RSA PRIVATE KEY-----", "never ends"])
def test_a_private_key_goes_whole(end: str) -> None:
    text = f"a = 1\nKEY = '''-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n{end}'''\nb = 2"
    cleaned = clean(text)
    assert cleaned.count("\n") == text.count("\n")
    assert not {"abc", "def"} & set(cleaned.split())


def test_ordinary_code_stays_as_it_is() -> None:
    assert clean(text := listing(20_000)) == text


@given(st.text())
def test_lines_keep_their_numbers(text: str) -> None:
    cleaned = clean(text).split("\n")
    assert len(cleaned) == text.count("\n") + 1
    assert all(after in ("", before) for before, after in zip(text.split("\n"), cleaned, strict=True))


def full_scan(lines: list[str]) -> list[int]:
    """All detectors on all lines, without a first look."""
    return [n for n, line in enumerate(lines) if any(found(line) for _, found in detectors())]


def patterns() -> list[re.Pattern[str]]:
    """All that is looked for."""
    plugins = [make() for make in get_mapping_from_secret_type_to_class().values()]
    listed = [each for plugin in plugins for each in getattr(plugin, "denylist", ())]
    quoted = [found for plugin in plugins if (found := getattr(plugin, "regex", None))]
    keywords = [value for value in vars(keyword).values() if isinstance(value, re.Pattern)]
    return [*listed, *quoted, *keywords, secret_filter._PROSE, secret_filter._WORD, secret_filter._LOOSE]


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: pattern.pattern[:40])
def test_the_first_look_misses_nothing(pattern: re.Pattern[str]) -> None:
    around = st.text("ab1 =:\"'#_/K\u017f\u212a\u0130\u0131", max_size=6)
    changes = st.sampled_from([str, str, str.upper, str.lower, lambda text: text.replace("s", "\u017f")])

    @given(around, st.from_regex(pattern, fullmatch=True), changes, around)
    @settings(
        max_examples=25,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
        deadline=None,
    )
    def check(before: str, found: str, changed: Callable[[str], str], after: str) -> None:
        for text in (before + changed(found) + after, found):
            line = text.replace("\n", " ")
            assert secret_lines([line]) == full_scan([line])

    check()


@pytest.mark.parametrize(
    "signs", ["0123456789abcdef", "0123456789ABCDEF", string.ascii_letters + "0123456789_-/+="]
)
@given(data=st.data())
def test_the_first_look_lets_all_random_words_pass(signs: str, data: st.DataObject) -> None:
    word = "".join(data.draw(st.permutations(signs)))[: data.draw(st.integers(8, 40))]
    for line in (f"x = '{word}'", f'x = "{word}{word}"', f"# {word}"):
        assert secret_lines([line]) == full_scan([line])


@given(st.text())
def test_the_first_look_at_any_text(text: str) -> None:
    lines = text.split("\n")
    assert secret_lines(lines) == full_scan(lines)


@pytest.mark.parametrize("folder", [Path(inspect.getfile(detect_secrets)).parent, Path(__file__).parents[1]])
def test_real_files_are_redacted_as_by_the_full_scan(folder: Path) -> None:
    found = 0
    for path in sorted(folder.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").split("\n")
        expected = full_scan(lines)
        assert secret_lines(lines) == expected, path
        found += len(expected)
    assert found


def test_a_kind_that_is_new_is_asked_about_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_filter, "detectors", lambda: [("A new kind", lambda line: "xyz" in line)])
    secret_filter._looks.cache_clear()
    try:
        assert secret_lines(["a", "an xyz", "b"]) == [1]
    finally:
        secret_filter._looks.cache_clear()


def test_a_text_that_was_seen_is_not_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'number = {random.random()}\npassword = "hunter2hunter2"\n'
    cleaned = clean(text)
    monkeypatch.setattr(secret_filter, "secret_lines", None)
    assert clean(text) == cleaned
    assert "hunter2" not in cleaned
    with pytest.raises(TypeError):
        clean(text + "x")


def test_only_so_many_texts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_filter, "_REMEMBERED", 3)
    monkeypatch.setattr(secret_filter, "_known", type(secret_filter._known)())
    for n in range(9):
        clean(f"{n}\n")
    assert len(secret_filter._known) == 3


def test_a_line_that_is_too_long_to_be_searched_is_emptied() -> None:
    assert secret_filter.clean("a\n" + "eyJhbGciOi" * 20_000 + "\nb") == "a\n\nb"


def test_a_long_line_of_words_takes_no_square_of_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a digit, each place in it was the beginning of another search: half a minute."""
    monkeypatch.setattr(secret_filter, "MAX_LINE", 10**6)
    began = time.process_time()
    assert list(secret_filter._words("eyJhbGciOi" * 20_000)) == []
    assert time.process_time() - began < 5
