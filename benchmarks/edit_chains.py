"""Mine real edits from git histories: what an author changed in a file, place by place, in one commit.

    python -m benchmarks.edit_chains --out FOLDER [--recipe FILE] CLONES

CLONES holds a git directory for each project of the recipe (`data/edit_chains.toml`), named `owner+name` or
`owner+name/repo`. For each split and project, commits are drawn at random (always the same ones) and their
changes of single files, of at most MOST_HUNKS places and MOST_LINES lines, go to FOLDER/<split>.jsonl, a
`chain` a line: `{project, commit, path, language, text, hunks: [[line, [old], [new]], ...]}`. `infill-ls eval
--next-edits` reads it. The files hold other people's code and are not part of this repository.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks.projects import FOREIGN, LARGEST, SUFFIXES

RECIPE = Path(__file__).parent / "data" / "edit_chains.toml"
MOST_HUNKS = 12
MOST_LINES = 60  # old and new, of a file in a commit
PER_PROJECT = 400  # chains
PER_COMMIT = 2  # so that no commit weighs more than others

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")

Hunk = tuple[int, list[str], list[str]]  # line in the old text, from 0; old lines; new lines


@dataclass(frozen=True)
class Project:
    name: str  # owner/name
    split: str
    language: str
    licence: str
    head: str  # commit up to which the history counts


def projects(recipe: Path) -> Iterator[Project]:
    for each in tomllib.loads(recipe.read_text("utf-8"))["project"]:
        yield Project(**each)


def git(folder: Path, *arguments: str) -> str:
    """Standard output of a git command. Raises CalledProcessError."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8", "replace")


def chains(project: Project, folder: Path, count: int) -> Iterator[dict[str, object]]:
    """At most so many chains of a project, from commits drawn at random."""
    commits = git(folder, "log", "--no-merges", "--min-parents=1", "--format=%H", project.head).split()
    random.Random(project.name).shuffle(commits)
    patterns = [f"*{suffix}" for suffix in SUFFIXES[project.language]]
    found = 0
    for commit in commits:
        if found >= count:
            return
        flags = ("--unified=0", "--format=", "--no-renames", "--diff-filter=M", "--no-color")
        per_file = changes(git(folder, "show", *flags, commit, "--", *patterns))
        for path, hunks in sorted(per_file.items())[:PER_COMMIT]:
            lines = sum(len(old) + len(new) for _, old, new in hunks)
            if (
                len(hunks) > MOST_HUNKS
                or lines > MOST_LINES
                or not FOREIGN.isdisjoint(PurePosixPath(path).parts)
            ):
                continue
            text = git(folder, "show", f"{commit}^:{path}")
            if len(text) <= LARGEST and "\r" not in text and "\ufffd" not in text and found < count:
                found += 1
                yield {
                    "project": project.name,
                    "commit": commit,
                    "path": path,
                    "language": project.language,
                    "text": text,
                    "hunks": hunks,
                }


def changes(patch: str) -> dict[str, list[Hunk]]:
    """The hunks of each file in a patch without context lines."""
    found: dict[str, list[Hunk]] = {}
    path = ""
    for line in patch.split("\n"):
        if line.startswith("+++ b/"):
            path = line[6:]
        elif match := _HUNK.match(line):
            start, count = int(match[1]), int(match[2] or 1)
            found.setdefault(path, []).append((start - 1 if count else start, [], []))
        elif path in found and line[:1] in ("-", "+") and not line.startswith("--- "):
            _, old, new = found[path][-1]
            (old if line[0] == "-" else new).append(line[1:])
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edit_chains", description=__doc__)
    parser.add_argument("clones", type=Path, help="folder with the projects' git directories")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--count", type=int, default=PER_PROJECT, help="chains of each project")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    written: dict[str, list[str]] = {}
    for project in projects(args.recipe):
        folder = args.clones / project.name.replace("/", "+")
        folder = folder / "repo" if (folder / "repo").is_dir() else folder
        lines = [json.dumps(each) for each in chains(project, folder, args.count)]
        written.setdefault(project.split, []).extend(lines)
        print(f"{project.name}: {len(lines)} chains", file=sys.stderr)
    for split, lines in written.items():
        (args.out / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
