from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.context.secret_filter import clean
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
