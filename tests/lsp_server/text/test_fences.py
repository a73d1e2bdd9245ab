"""Code in Markdown's fences is parsed in its own language; around it there is no parse."""

from __future__ import annotations

import pytest

from lsp_server.text.document import Snapshot, Span
from lsp_server.text.syntax import Parses

FENCED = """\
# Títle

A *text* with `code` and a 😀.

```python title=x
def f(a):
    return a
```

~~~ js
let a = 1;
~~~

- item

  ```python
  a = 1
  ```

> ```python
> b = 2
> ```

```cobol
MOVE 1 TO C.
```

```markdown
# inner
```

````rust
let s = "```";
````

``` {.ruby .numbers}
puts 1
```

```x``` is no fence

```
no language
```

```go
func open() {
"""


def snapshot(text: str) -> Snapshot:
    return Snapshot("file:///a.md", 1, "markdown", text)


@pytest.mark.parametrize(
    ("at", "language", "code"),
    [
        ("# Tít", None, ""),
        ("*te", None, ""),
        ("```py", None, ""),  # the line of the fence itself
        ("return", "python", "def f(a):\n    return a\n"),
        ("let a", "javascript", "let a = 1;\n"),
        ("  a = 1", "python", "  a = 1\n"),  # in a list
        ("b = 2", None, ""),  # in a quotation
        ("MOVE", None, ""),  # a language without a grammar
        ("# inner", None, ""),  # prose again
        ("{.ruby", None, ""),
        ("puts", "ruby", "puts 1\n"),
        ("let s", "rust", 'let s = "```";\n'),
        ("no lang", None, ""),
        ("func", "go", "func open() {\n"),  # a fence that is not closed yet
    ],
)
def test_which_code_is_at_a_place(at: str, language: str | None, code: str) -> None:
    offset = FENCED.index(at) + len(at)
    found = Parses().around(snapshot(FENCED), offset)
    assert (found and found.language.id) == language
    if found:
        assert found.text == code
        assert FENCED[found.start :].startswith(code)


def test_an_empty_fence_is_code() -> None:
    for text in ("```python\n", "```python\n\n```\n"):
        found = Parses().around(snapshot(text), len("```python\n"))
        assert found
        assert found.text.strip() == ""


def test_offsets_are_those_of_the_document() -> None:
    """While it is edited, and when the cursor goes from one fence to the next."""
    parses, text = Parses(), FENCED
    for typed in ("", "  # é", " 'x"):
        at = text.index("return a") + len("return a")
        text = text[:at] + typed + text[at:]
        found = parses.around(snapshot(text), at + len(typed))
        assert found
        end = found.start + len(found.text)
        assert text[found.start : end] == found.text
        assert found.in_comment(at + len(typed)) is ("#" in text[at : at + len(typed)])
        changed = found.replaced(Span(at, at), "(")
        assert changed.text == text[found.start : at] + "(" + text[at:end]
        other = parses.around(snapshot(text), text.index("let s") + 5)
        assert other
        assert other.language.id == "rust"


def test_other_prose_has_no_parse() -> None:
    for language in ("plaintext", "text", "rst", "gitcommit", "cobol"):
        text = "```python\na = 1\n```\n"
        assert Parses().around(Snapshot("file:///a", 1, language, text), 12) is None
