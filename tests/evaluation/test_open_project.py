"""A project is open as in an editor, and the text that is missing is nowhere to be read."""

from __future__ import annotations

import asyncio
from pathlib import Path

from evaluation import answers
from evaluation.open_project import Desk
from evaluation.places import Place
from lsp_server.config.settings import Settings
from tests.evaluation.examples import Says

OTHER = "def area(width, height):\n    return width * height\n"
FIRST = "from other import area\n\n\ndef first():\n    size = area(3, 41)\n    return size\n"
SECOND = "from other import area\n\n\ndef second():\n    size = area(7, 59)\n    return size\n"


def place(folder: Path, path: str, text: str, middle: str) -> Place:
    before, after = text.split(middle)
    return Place("end-of-line", path, before, after, middle, project=folder, path=path)


def test_other_files_are_known_and_the_answer_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in (("other.py", OTHER), ("first.py", FIRST), ("second.py", SECOND)):
        (folder / name).write_text(text)
    places = [place(folder, "first.py", FIRST, "3, 41"), place(folder, "second.py", SECOND, "7, 59")]
    contender = Says("1")
    known: list[dict[str, str]] = []
    on_disk: list[tuple[Path, str]] = []

    async def run() -> None:
        async with Desk({"shipped": contender}, Settings()) as desk:
            for one in places:
                project = await desk.open(one)
                assert project
                known.append(dict(contender.texts))
                on_disk.append(
                    (
                        disk := Path(project.uri.removeprefix("file://")),
                        await asyncio.to_thread(disk.read_text),
                    )
                )
                await answers.ask(one, contender, Settings(), project)

    asyncio.run(run())
    assert [text for _, text in on_disk] == [one.before + one.after for one in places]
    assert not any(disk.exists() for disk, _ in on_disk)
    for one, request, texts in zip(places, contender.requests, known, strict=True):
        assert one.middle
        assert one.middle not in "".join((*texts.values(), *request.context, request.prefix))
        assert {Path(key).name for key in texts} == {"other.py", "first.py", "second.py"}
        assert any("def area" in piece for piece in request.context)
        assert request.workspace.startswith("evaluation-")
    assert "(3, 41)" in "".join(known[1].values())  # the first file is whole again
    assert not contender.texts  # the contender was told to forget
    assert (folder / "first.py").read_text() == FIRST


def test_the_texts_of_the_files_beside_it_are_there_when_it_is_asked(tmp_path: Path) -> None:
    """In every place, the first one and those in another folder too."""
    places = []
    for name in ("one", "two"):
        folder = tmp_path / "project" / name
        folder.mkdir(parents=True)
        for number in range(20):
            (folder / f"beside_{number:02}.py").write_text(f"measured_{name} = width_{number}\n")
        for number in range(2):
            text = f"import os\n\nmeasured_{name} = height_{number}\n"
            (folder / f"asked_{number}.py").write_text(text)
            path = f"{name}/asked_{number}.py"
            places.append(place(tmp_path / "project", path, text, f"height_{number}"))
    contender = Says("x")

    async def run() -> None:
        async with Desk({"shipped": contender}, Settings()) as desk:
            for one in places:
                await answers.ask(one, contender, Settings(), await desk.open(one))

    asyncio.run(run())
    for one, request in zip(places, contender.requests, strict=True):
        assert any("beside_" in piece and "= width_" in piece for piece in request.context), one.path
