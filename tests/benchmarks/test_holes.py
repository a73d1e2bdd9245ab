from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import holes, projects
from benchmarks.holes import File, Hole, HolesError, is_test
from model_runtime.training.holes import CUTTERS

PYTHON = (
    '''"""Docstring that nobody is asked for."""

# A comment, neither.
TABLE = [
    1, 2, 3,
    4, 5, 6,
]


def area(width, height):
    """Of a rectangle."""
    return scale(width * height)  # in pixels


class Shape:
    def resize(self, factor, keep=True):
        self.width = round(self.width * factor)
        self.name = "größe 😀".format(factor)
'''
    + f"        return {' + '.join(f'self.part_{n}' for n in range(20))}\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for project in ("one", "two"):
        for path in ("src/a.py", "src/b.py", "tests/test_a.py"):
            file = tmp_path / "dev" / "python" / project / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(PYTHON.replace("area", f"area_{project}"), encoding="utf-8")
    return tmp_path


def cut(folder: Path, count: int = 20, seed: int = 0) -> list[Hole]:
    arguments = ["--out", str(folder), "--count", str(count), "--seed", str(seed)]
    assert holes.main(arguments) == 0
    return holes.load(folder, "dev", "python")


def test_as_many_of_each_kind_and_project(folder: Path) -> None:
    found = cut(folder)
    assert Counter((hole.kind, hole.project) for hole in found) == {
        (kind, project): 10 for kind in CUTTERS for project in ("one", "two")
    }
    assert sum(is_test(hole.path) for hole in found) == len(found) / 10
    assert len({(h.kind, h.project, h.path, len(h.before), len(h.after)) for h in found}) == len(found)
    assert len({hole.kind for hole in found[:20]}) > 2  # the first are a sample of all


def test_holes_are_where_somebody_could_write_code(folder: Path) -> None:
    for hole in cut(folder):
        assert hole.before + hole.middle + hole.after == PYTHON.replace("area", f"area_{hole.project}")
        head, line = hole.before.rsplit("\n", 1)[-1], hole.after.split("\n", 1)[0]
        whole = (head + hole.middle + line).strip()
        assert len(hole.middle) <= holes.LONGEST
        assert any(c.isalnum() for c in hole.middle.split("#")[0])
        assert not whole.startswith(('"""', "#", "1, 2", "4, 5"))
        if hole.kind in ("end-of-line", "whole-line"):
            assert not line
        if hole.kind == "end-of-line":
            assert head.strip()
            assert head[-1] in " ()[]{}<>.,=" or not (head[-1] + hole.middle[0]).isidentifier(), head


@pytest.mark.parametrize(
    ("head", "middle", "name"),
    [
        ("x = self.", "width * factor", "width"),
        ("x = self.width", " * factor", "width"),
        ("x = (", "1 + factor)", "factor"),
        ("return", " factor", "return"),
    ],
)
def test_a_line_end_within_the_name_that_stands_there(head: str, middle: str, name: str) -> None:
    hole = Hole("end-of-line", "python", "one", "a.py", "y = 1\n" + head, middle, "\nz = 2\n")
    found = holes.within_name(hole)
    assert found
    assert found == holes.within_name(hole)
    assert found.before + found.middle == hole.before + hole.middle
    typed = re.findall(r"\w+", found.before)[-1]
    assert name.startswith(typed)
    assert typed != name
    assert holes.is_within_name(found)
    assert not holes.is_within_name(hole)


def test_no_line_end_within_a_name_where_none_is_long() -> None:
    assert (
        holes.within_name(Hole("end-of-line", "python", "one", "a.py", "width = (", "1 + x)", "\n")) is None
    )


def test_the_same_files_and_seed_give_the_same_bytes(folder: Path) -> None:
    def packed(seed: int) -> bytes:
        cut(folder, seed=seed)
        return (folder / "dev" / "python.jsonl.gz").read_bytes()

    first = packed(seed=0)
    assert packed(seed=0) == first
    assert packed(seed=1) != first


def test_offsets_are_code_points(folder: Path) -> None:
    text = PYTHON.replace("area", "area_one")
    start = text.index('".format')
    place = holes.Place("end-of-line", "python", "one", "src/a.py", start, start + len('".format(factor)'))
    holes.write(folder / "dev" / "python.jsonl.gz", [place])
    (hole,) = holes.load(folder, "dev", "python")
    assert hole.before.endswith("größe 😀")
    assert hole.middle == '".format(factor)'
    assert hole.after.startswith("\n        return")


def test_a_project_half_laid_out_is_no_project(folder: Path) -> None:
    (folder / "dev" / "python" / "two").rename(folder / "dev" / "python" / ".two")
    assert {hole.project for hole in cut(folder)} == {"one"}


def test_a_project_with_too_few_places_gives_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dev" / "python" / "small" / "a.py"
    file.parent.mkdir(parents=True)
    file.write_text("a = call(b)\n")
    found = Counter(hole.kind for hole in cut(tmp_path, count=30))
    assert found["brackets"] == 1
    assert found["lines"] == 0
    assert "small: only 1 of 30 holes of kind brackets" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["python.jsonl.gz", "python/one/src/a.py"])
def test_what_is_missing_is_named_with_its_remedy(missing: str, folder: Path) -> None:
    cut(folder)
    (folder / "dev" / missing).unlink()
    with pytest.raises(HolesError, match=f"{missing} is missing; `python -m benchmarks.projects"):
        holes.load(folder, "dev", "python")


@pytest.mark.parametrize(
    ("language", "text", "code", "prose"),
    [
        ("python", 'def f():\n    """Doc."""\n    return "text"\n', ['"text"', "return"], ["Doc"]),
        ("javascript", "/* one\n two */\nlet a = 'b'; // three\n", ["let", "'b'"], ["two", "three"]),
        ("typescript", "/** doc */\nlet a: Type = b;\n", ["Type"], ["doc"]),
        ("go", "// Area is\nfunc Area() {}\n", ["func"], ["is"]),
        ("rust", "/// Doc\n#[test]\nfn area() {} // end\n", ["test", "fn"], ["Doc", "end"]),
        ("java", "/**\n * doc\n */\n@Override int a;\n", ["Override"], ["doc"]),
        ("c", "#include <stdio.h>\n#define A 1 /* one */\nint b; /* two */\n", ["include", "A 1"], ["two"]),
        ("cpp", "#ifdef B\n// text\nint b;\n#endif\n", ["ifdef", "int"], ["text"]),
    ],
)
def test_comments_and_documentation_are_no_code(
    language: str, text: str, code: list[str], prose: list[str]
) -> None:
    file = File("a", text, language)
    for word, expected in [*((each, True) for each in code), *((each, False) for each in prose)]:
        start = text.index(word)
        assert file.is_code(start, start + len(word)) is expected, word


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("tests/a.py", True),
        ("src/test/java/org/A.java", True),
        ("lib/test_a.py", True),
        ("conftest.py", True),
        ("mux_test.go", True),
        ("a.test.ts", True),
        ("a.spec.js", True),
        ("ElementTest.java", True),
        ("test-fs.c", True),
        ("src/testing.py", False),
        ("contest.py", False),
        ("latest.ts", False),
        ("attest/a.go", False),
    ],
)
def test_files_named_like_tests(path: str, test: bool) -> None:
    assert is_test(path) is test


# virtualenv's one file named like a test, py_spec.py, has one pair of brackets for a share of four.
FEWER = {("fit", "python"): Counter(brackets=3)}


def test_the_committed_holes() -> None:
    """Of every split and language of the recipe, as many as `benchmarks.holes` cuts, from its projects."""
    known = {(p.split, p.language, p.name) for p in projects.read()}
    for split, language in sorted({(s, each) for s, each, _ in known}):
        data = (projects.RECIPE.parent / "holes" / split / f"{language}.jsonl.gz").read_bytes()
        places = [holes.Place(**json.loads(line)) for line in gzip.decompress(data).splitlines()]
        count = holes.COUNTS[split, language == "python"]
        fewer = FEWER.get((split, language), Counter())
        assert Counter(place.kind for place in places) + fewer == dict.fromkeys(CUTTERS, count)
        assert {(split, place.language, place.project) for place in places} == {
            each for each in known if each[:2] == (split, language)
        }
        assert all(0 < place.end - place.start <= holes.LONGEST for place in places)


def test_a_line_is_as_likely_in_every_file() -> None:
    long, short = File("long.py", "a = b(c)\n" * 300, "python"), File("short.py", "a = b(c)\n" * 30, "python")
    found = Counter(file.path for file, *_ in holes.cut([long, short], "brackets", 110, random.Random(0)))
    assert found["long.py"] > 4 * found["short.py"] > 0
