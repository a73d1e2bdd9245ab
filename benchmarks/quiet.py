"""Find places where a developer wants no suggestion: a file for `infill-ls eval`.

    python -m benchmarks.quiet --out FILE [--corpus FILE] [--seed N] [--site FOLDER]...

From the Python files of held-out projects: after a finished statement in the middle of code, inside a string,
inside a comment; from other files in site-packages: other languages. And, for the opposite question, places
inside an unfinished line of Python, where a suggestion is wanted. Statements, strings and comments are found
with Python's own `ast` and `tokenize`, not with the parser that the server uses.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import sys
import sysconfig
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from model_runtime.training import calibrate, corpus, held_out
from model_runtime.training.__main__ import default_folder
from model_runtime.training.corpus import Document
from model_runtime.training.held_out import HeldHole
from model_runtime.training.source import CORPUS

BEFORE, AFTER = 5_000, 1_500  # characters
COUNTS = {"finished statement": 100, "in a string": 70, "in a comment": 70, "another language": 60}
UNFINISHED = "unfinished line", 150
LANGUAGES = {
    ".js": "javascript",
    ".css": "css",
    ".html": "html",
    ".c": "c",
    ".h": "c",
    ".cpp": "cpp",
    ".sh": "shellscript",
    ".md": "markdown",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
}


@dataclass(frozen=True)
class QuietPlace:
    category: str
    wanted: bool
    language: str
    project: str
    licence: str
    path: str
    before: str
    after: str


Offsets = Callable[[str], list[int]]


def finished(text: str) -> list[int]:
    """Ends of one-line simple statements with nothing behind them, and a line of code below."""
    lines, found = text.split("\n"), []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.stmt) or hasattr(node, "body"):
            continue
        if node.lineno == node.end_lineno and node.lineno < len(lines):
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            whole = lines[node.lineno - 1].encode()[: node.end_col_offset].decode() == lines[node.lineno - 1]
            if whole and not docstring and lines[node.lineno].strip():
                found.append(_starts(text)[node.lineno] - 1)
    return sorted(found)


def _tokens(text: str, *kinds: int) -> Iterator[tokenize.TokenInfo]:
    return (t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type in kinds)


def in_strings(text: str) -> list[int]:
    """Between two words inside a string literal of some length."""
    starts = _starts(text)
    inner = [
        t for t in _tokens(text, tokenize.STRING) if len(t.string) > 24 and "f" not in t.string.lower()[:2]
    ]
    spans = [(starts[t.start[0] - 1] + t.start[1], t.string) for t in inner]
    return [at + i for at, string in spans for i in _word_ends(string, 6, len(string) - 6)]


def in_comments(text: str) -> list[int]:
    starts = _starts(text)
    spans = [(starts[t.start[0] - 1] + t.start[1], t.string) for t in _tokens(text, tokenize.COMMENT)]
    return [at + i for at, string in spans for i in _word_ends(string, 4, len(string) + 1)]


def anywhere(text: str) -> list[int]:
    """Ends of words."""
    return _word_ends(text, 200, min(BEFORE, len(text) - 1))


def _word_ends(text: str, first: int, last: int) -> list[int]:
    wordy = [*(char.isalnum() or char == "_" for char in text), False]
    return [i for i in range(max(1, first), last) if wordy[i - 1] and not wordy[i]]


def _starts(text: str) -> list[int]:
    """Offset of each line."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def quiet_places(
    documents: Sequence[Document], others: Sequence[Document], seed: int
) -> Iterator[QuietPlace]:
    finders: dict[str, Offsets] = {
        "finished statement": finished,
        "in a string": in_strings,
        "in a comment": in_comments,
        "another language": anywhere,
    }
    for category, count in COUNTS.items():
        rng = random.Random(f"{seed}/{category}")
        pool = others if category == "another language" else documents
        taken = 0
        while taken < count:
            document = rng.choice(pool)
            if document.path.endswith(".py") and held_out.parsed(document.text) is None:
                continue
            offsets = finders[category](document.text)
            if offsets and (place := _place(category, document, rng.choice(offsets))):
                yield place
                taken += 1


def unfinished_places(documents: Sequence[Document], seed: int) -> Iterator[QuietPlace]:
    """Places whose line lacks its end, as while somebody is typing it."""
    category, count = UNFINISHED
    for hole in held_out.holes(documents, 2 * count, seed + 1, BEFORE, AFTER):
        if hole.kind != "end-of-line" or not count:
            return
        if not _in_words(hole.before + hole.middle + hole.after, len(hole.before)):
            where = hole.project, hole.licence, hole.path
            yield QuietPlace(category, True, "python", *where, hole.before, hole.after)
            count -= 1


def _in_words(text: str, at: int) -> bool:
    """In a string or a comment."""
    frame = held_out.scaffold(text)
    starts = _starts(frame + text)
    for token in _tokens(frame + text, tokenize.STRING, tokenize.COMMENT):
        first, last = (starts[row - 1] + column - len(frame) for row, column in (token.start, token.end))
        if first < at < last or (first < at == last and token.type == tokenize.COMMENT):
            return True
    return False


def _place(category: str, document: Document, at: int) -> QuietPlace | None:
    """With as much context as fits. Python is cut between statements, other languages only at the end."""
    text, language = document.text, LANGUAGES.get(Path(document.path).suffix, "python")
    before, after = text[:at], text[at:]
    if language == "python":
        whole = HeldHole("span", document.project, document.licence, document.path, before, "", after)
        if (cut := held_out.shortened(whole, BEFORE, AFTER)) is None:
            return None
        before, after = cut.before, cut.after
    else:
        after = after[: after.rfind("\n", 0, AFTER) + 1] or after
    where = document.project, document.licence, document.path
    return QuietPlace(category, False, language, *where, before, after)


def other_files(sites: Sequence[Path]) -> list[Document]:
    """Files of other languages in permissively licensed packages, at most ten of a project and language."""
    found: dict[tuple[str, str], list[Document]] = {}
    for site in sites:
        for dist in sorted(metadata.distributions(path=[str(site)]), key=lambda d: (d.name or "").lower()):
            licence = corpus.licence_of(dist) or ""  # may be cut short: it must still name a licence
            if not corpus.PERMISSIVE.search(licence):
                continue
            for file in sorted(dist.files or ()):
                path, language = Path(str(file.locate())), LANGUAGES.get(file.suffix)
                documents = found.setdefault((language or "", dist.name.lower()), [])
                if language and len(documents) < 10 and ".min." not in file.name:
                    text = _readable(path)
                    if text and not corpus.BENCHMARKS.search(text):
                        documents.append(Document(dist.name.lower(), licence, str(file), text))
    return _even({key: documents for key, documents in found.items() if documents})


def _even(found: dict[tuple[str, str], list[Document]]) -> list[Document]:
    """Twelve of each language; where there are fewer, they repeat."""
    languages = sorted({language for language, _ in found})
    by_language = {n: [d for key, docs in found.items() if key[0] == n for d in docs] for n in languages}
    return [docs[i % len(docs)] for docs in by_language.values() for i in range(12)]


def _readable(path: Path) -> str | None:
    try:
        text = path.read_text("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        return None
    longest = max(map(len, text.split("\n")), default=0)
    return text if 1_000 < len(text) < 100_000 and longest < 300 else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quiet")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=default_folder() / CORPUS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--site", type=Path, action="append", help="site-packages with files of other languages"
    )
    options = parser.parse_args()
    if not options.corpus.exists():
        print(f"{options.corpus} is missing; `python -m model_runtime.training` makes it", file=sys.stderr)
        return 1
    _, documents = calibrate.split(corpus.load(options.corpus)[1])
    others = other_files(options.site or [Path(sysconfig.get_paths()["purelib"])])
    places = [
        *quiet_places(documents, others, options.seed),
        *unfinished_places(documents, options.seed),
    ]
    print(f"{held_out.write(options.out, places)} places, {options.out.stat().st_size / 1000:.0f} kB")
    print("languages:", ", ".join(sorted({place.language for place in places})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
