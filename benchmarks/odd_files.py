"""What lies in the folders of benchmarks/fuzz_files.py: ignore files, texts, names, trees with links.

All of it follows from the random generator that is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from pathlib import Path

_PATTERN_PARTS = [
    *(
        b"*",
        b"**",
        b"***",
        b"/",
        b"//",
        b"!",
        b"\\",
        b"[",
        b"]",
        b"[a-",
        b"[!",
        b"[^",
        b"[z-a]",
        b"[[:alpha:]]",
        b"[]]",
        b"?",
    ),
    *(
        b"a",
        b"b.py",
        b"src",
        b".",
        b"..",
        b"*.py",
        b"#",
        b" ",
        b"\t",
        b"\r",
        b"{",
        b"}",
        b"(?P<",
        b"(",
        b"+",
        b"|",
        b"$",
        b"^",
    ),
    *(
        "é".encode(),
        "😀".encode(),
        "\u2028".encode(),
        b"\xff",
        b"\xed\xa0\x80",
        b"\0",
        b"\x0c",
        b"\\ ",
        b"\\!",
        b"\\#",
    ),
]
_WORDS = [
    *(
        "def f(a):\n",
        "    return a\n",
        "class A:\n",
        "import os\n",
        "x = 'a'\n",
        "# ",
        '"""',
        "'",
        '"',
        "`",
        "(",
        "[",
        "{",
        "}",
        ")",
        "]",
    ),
    *(
        "\n",
        "\r",
        "\r\n",
        "\t",
        "    ",
        " ",
        "\x0c",
        "\u2028",
        "\0",
        "\ufeff",
        "é",
        "😀",
        "\\",
        "/*",
        "*/",
        "<!--",
        "<a>",
        "${",
        "%",
        "@",
    ),
    *(
        "password = 'hunter22aB'\n",
        "token: abcdef0123456789abcd\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----END",
        "://a:b@c",
        "AKIA",
    ),
    *(
        "key",
        "secret=",
        "eyJhbGciOi",
        "=",
        ":",
        "0123456789abcdef",
        "a",
        "A",
        "9",
        "_",
        "-",
        ".",
        ";",
        ",",
        "=>",
        "function ",
        "async ",
        "lambda ",
    ),
    *(
        '{"cells": [',
        '{"cell_type": "code", "source": [',
        '"x = 1\\n"',
        '"metadata": {}',
        "null",
        "1e999",
        "if x:\n",
        "else\n",
        "end\n",
        "$$",
        "~~~\n",
    ),
]
_NOTEBOOK = {
    "cells": [{"cell_type": "code", "source": ["import os\n", "x = 1"], "outputs": [], "metadata": {}}],
    "metadata": {"kernelspec": {"name": "python3"}},
    "nbformat": 4,
}
ENDINGS = [
    *(
        "py",
        "py",
        "ts",
        "tsx",
        "js",
        "go",
        "rs",
        "c",
        "cpp",
        "java",
        "cs",
        "rb",
        "php",
        "sh",
        "lua",
        "html",
        "css",
    ),
    *("json", "yaml", "toml", "md", "txt", "ipynb", "rst"),
]
NAMES = [
    b"a",
    b"b b",
    b".hidden",
    b"node_modules",
    b"__pycache__",
    b".git",
    b"\xff\xfe",
    "é".encode(),
    b"e\xcc\x81",
    b"\n",
    b"a\\b",
    b"*",
    b"[",
    b"!x",
    b"#",
    b"con",
    b"id_rsa",
    b"x" * 200,
]


def ignore_file(rng: random.Random) -> bytes:
    """Some lines, few of them as git wants them."""
    lines = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        parts = rng.choices(_PATTERN_PARTS, k=rng.choice([1, 2, 3, 5, 9]))
        lines.append(b"".join(parts) * (1 if rng.random() < 0.97 else rng.choice([20, 500])))
    return rng.choice([b"\n", b"\n", b"\r\n", b"\r"]).join(lines) + rng.choice([b"", b"\n"])


def text(rng: random.Random) -> bytes:
    """Of a file: code in pieces, notebooks and JSON that are broken, one thing over and over."""
    kind = rng.random()
    if kind < 0.55:
        found = "".join(rng.choices(_WORDS, k=rng.choice([1, 5, 20, 20, 80]))).encode(
            "utf-8", "surrogatepass"
        )
    elif kind < 0.8:
        found = json.dumps(_NOTEBOOK, indent=rng.choice([None, 1])).encode()
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(found))
            found = (
                found[:at]
                + rng.choice([b"", b'"', b"[", b"{", b"}", b"\\", b",", b"9"])
                + found[at + rng.randrange(9) :]
            )
    elif kind < 0.9:
        found = rng.randbytes(rng.choice([1, 40, 400]))
    else:
        unit = "".join(rng.choices(_WORDS, k=rng.choice([1, 1, 2, 3]))).encode()
        size = rng.choice([2_000, 2_000, 20_000]) if rng.random() < 0.97 else rng.choice([199_000, 1_000_000])
        found = unit * (size // len(unit))
    return found[: rng.randrange(len(found) + 1)] if rng.random() < 0.2 else found


def name(rng: random.Random) -> bytes:
    ending = b"." + rng.choice(ENDINGS).encode() if rng.random() < 0.8 else b""
    return rng.choice(NAMES) + ending


def grow(rng: random.Random, root: bytes, entries: int) -> list[bytes]:
    """Files, folders and links below `root`, which is there; some links lead in circles, out or nowhere.
    Returns the paths."""
    folders, made = [root], list[bytes]()
    for _ in range(entries):
        path = os.path.join(rng.choice(folders), name(rng))
        with contextlib.suppress(OSError, ValueError):  # there already, or a name that this system refuses
            kind = rng.random()
            if kind < 0.25:
                os.mkdir(path)
                folders.append(path)
            elif kind < 0.4:
                os.symlink(rng.choice([*folders, *made, b".", b"..", b"/", path, b"nowhere"]), path)
            elif kind < 0.45:
                os.mkfifo(path)
            elif kind < 0.5:
                path = os.path.join(os.path.dirname(path), b".gitignore")
                write(path, ignore_file(rng))
            else:
                if not os.path.lexists(path):  # writing to a pipe would wait for a reader
                    write(path, text(rng)[:20_000])
            made.append(path)
    return made


def write(path: bytes | Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def disturb(rng: random.Random, paths: list[bytes]) -> None:
    """What other programs do to files meanwhile: one vanishes, grows, is renamed, becomes a folder."""
    if not paths:
        return
    path = rng.choice(paths)
    with contextlib.suppress(OSError, ValueError):
        kind = rng.randrange(6)
        if kind == 0:
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        elif kind == 1:
            os.rename(path, path + b"~")
        elif kind == 2 and os.path.isfile(path):
            write(path, text(rng)[:20_000])
        elif kind == 3 and os.path.isfile(path):
            os.truncate(path, rng.choice([0, 10, 300_000]))
        elif kind == 4 and os.path.isfile(path):
            os.unlink(path)
            os.mkdir(path)
        elif not os.path.islink(path):  # chmod follows a link, which may lead out of the folder
            os.chmod(path, rng.choice([0, 0o600, 0o700]))
