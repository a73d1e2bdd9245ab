"""How often the only name of a file that begins with what is typed is the name that stood there.

    python -m benchmarks.names --projects FOLDER [--split dev|test] [--count N] [--seed N]

Names in the files of projects that `benchmarks.projects` lays out (Python's own `tokenize` finds them) are
cut off after three characters or more, at random, and put to `lsp_server.infilling.names`, with nothing
behind them, as in a file that is written from top to bottom. Reported are how many of them have a rest to be
offered, and how often it is right.
"""

from __future__ import annotations

import argparse
import io
import keyword
import random
import tokenize
from pathlib import Path

from lsp_server.infilling import names
from lsp_server.text.document import Snapshot
from lsp_server.text.syntax import Parses


def occurrences(text: str) -> list[tuple[int, str]]:
    """Names that are no keywords, with their offsets."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (starts[each.start[0] - 1] + each.start[1], each.string)
        for each in tokens
        if each.type == tokenize.NAME and not keyword.iskeyword(each.string)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--projects", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, parses = random.Random(options.seed), Parses()
    files = sorted((options.projects / options.split / "python").rglob("*.py"))
    looked = offered = right = 0
    while looked < options.count:
        text = rng.choice(files).read_text(encoding="utf-8")
        try:
            found = [each for each in occurrences(text) if len(each[1]) > names.LEAST]
        except (SyntaxError, tokenize.TokenError):
            continue
        if not found:
            continue
        at, name = rng.choice(found)
        typed = rng.randint(names.LEAST, len(name) - 1)
        text = text[: at + typed] + "\n"  # what follows is not written yet
        snapshot = Snapshot("file:///a.py", 1, "python", text)
        rest = names.rest(snapshot, parses.around(snapshot, at + typed), at + typed)
        looked, offered = looked + 1, offered + bool(rest)
        right += bool(rest) and rest == name[typed:]
    share = right / max(1, offered)
    print(f"of {looked} names, {offered} have a rest to be offered; {right} are right, {share:.2f}")


if __name__ == "__main__":
    main()
