"""What goes out with a request, with the real reader process and a worker that keeps what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lsp_server.config.file_filter import MAX_BYTES
from lsp_server.context import document_tracker
from lsp_server.context.document_tracker import Following
from lsp_server.context.gather import BUDGETS
from lsp_server.infilling import pipeline
from lsp_server.session.session import Session
from lsp_server.text.document import Refusal
from model_runtime.protocol import Done, Draft, Infill, Refused

SECONDS = 80.0  # for the reader process to start and read


class Wire:
    """A worker that records what it is asked."""

    def __init__(self) -> None:
        self.sent: list[Infill] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.sent.append(request)
        return Done(0, ("x",), 0.9, steps=1, queue_ms=0, prefill_ms=0, denoise_ms=0)

    async def prepare(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Editor:
    """Files of a workspace on disk, open documents, and requests at the end of one."""

    def __init__(self, root: Path) -> None:
        self.root, self.wire = root, Wire()
        worker: Any = self.wire
        self.session = Session(lambda settings: worker)
        self.session.use_folders([root.as_uri()])

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str, language: str = "python") -> None:
        self.session.open(self.uri(name), 1, language, text)

    async def ask(self, name: str, *diagnostics: str) -> tuple[str, ...] | Refusal:
        """The context that a request at the document's end is sent with."""
        session, uri = self.session, self.uri(name)
        snapshot = session.snapshot(uri, 1_000_000)
        assert snapshot
        wrong = await session.following.cleaned(diagnostics)
        self.wire.sent.clear()
        outcome = await pipeline.suggest(
            snapshot,
            len(snapshot.text),
            self.wire,
            session.settings,
            session.parses,
            context=lambda *place: session.context.gather(*place, wrong),
        )
        if not self.wire.sent:
            assert isinstance(outcome, Refusal)
            return outcome
        return self.wire.sent[0].context

    async def until(self, name: str, *wanted: str) -> tuple[str, ...]:
        """The context once it has all that is wanted, as it comes with later requests only."""
        context: tuple[str, ...] | Refusal = ()
        for _ in range(int(SECONDS / 0.05)):
            context = await self.ask(name)
            assert not isinstance(context, Refusal), context
            if all(any(text in piece for piece in context) for text in wanted):
                return context
            await asyncio.sleep(0.05)
        raise AssertionError(f"never came: {wanted}, only {context}")


@asynccontextmanager
async def editing(root: Path) -> AsyncIterator[Editor]:
    editor = Editor(root)
    try:
        yield editor
    finally:
        await editor.session.shut_down()


@pytest.fixture
async def editor(tmp_path: Path) -> AsyncIterator[Editor]:
    async with editing(tmp_path) as it:
        yield it


SHOP = '''def price_of(item, currency="EUR"):
    """What an item costs."""
    return 1


class Basket:
    def add(self, item): ...
'''


async def test_signatures_of_what_is_called(editor: Editor) -> None:
    editor.write({"shop/prices.py": SHOP, "other/deep/prices.py": "def unrelated(): ...\n"})
    editor.open("main.py", "from shop.prices import price_of\n\ndef total(items):\n    return price_of(")
    context = await editor.until("main.py", "price_of")
    (piece,) = [piece for piece in context if "What an item costs" in piece]
    assert piece == '# shop/prices.py\ndef price_of(item, currency="EUR"):  # What an item costs.\n'
    assert not any("unrelated" in piece for piece in context)


async def test_places_in_the_folder_that_go_on_after_the_same_text(editor: Editor) -> None:
    editor.write({"a.py": "def f(path):\n    with open(path, encoding='utf-8') as file:\n        pass\n"})
    editor.open("b.py", "def g(path):\n    with open(path, ")
    context = await editor.until("b.py", "encoding='utf-8'")
    assert context[-1].startswith("# a.py\n")


async def test_open_documents_count_with_what_is_in_them_now(editor: Editor) -> None:
    editor.write({"a.py": "VALUE = compute(old_name, 1)\n"})
    editor.open("a.py", "VALUE = compute(new_name, 1)\n")
    editor.open("b.py", "OTHER = compute(")
    context = await editor.until("b.py", "new_name")
    assert not any("old_name" in piece for piece in context)
    editor.session.close(editor.uri("a.py"))
    context = await editor.until("b.py", "old_name")
    assert not any("new_name" in piece for piece in context)


async def test_regions_edited_last_in_other_documents(editor: Editor) -> None:
    far = "".join(f"line_{n} = {n}\n" for n in range(100))
    editor.open("a.py", far)
    editor.open("b.py", "b = ")
    await editor.until("b.py")
    at = (50, 0)
    editor.session.change(editor.uri("a.py"), 2, [((at, at), "edited = True\n")])
    context = await editor.until("b.py", "edited = True")
    (piece,) = [piece for piece in context if "edited = True" in piece]
    assert "line_49" in piece
    assert "line_60" not in piece
    assert not any("edited = True" in piece for piece in await editor.until("a.py"))


async def test_imports_that_a_long_file_has_above_what_is_shown(editor: Editor) -> None:
    head = "from collections import OrderedDict\nimport os\n"
    editor.open("short.py", head + "x = ")
    editor.open("long.py", head + "value = 1\n" * 5_000 + "x = ")
    context = await editor.until("long.py", "OrderedDict")
    assert any(piece == f"# long.py\n{head}" for piece in context)
    assert not any("OrderedDict" in piece for piece in await editor.until("short.py"))


async def test_files_that_change_are_read_again(editor: Editor) -> None:
    editor.write({"a.py": "def first(one): ...\n"})
    editor.open("b.py", "first(")
    await editor.until("b.py", "def first(one)")
    editor.write({"a.py": "def first(one, two): ...\n"})
    editor.session.following.files_changed()
    await editor.until("b.py", "def first(one, two)")
    (editor.root / "a.py").unlink()
    editor.session.following.files_changed()
    for _ in range(int(SECONDS / 0.05)):
        if not any("first" in piece for piece in await editor.ask("b.py")):  # type: ignore[union-attr]
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a file that is gone is still there")


async def test_every_source_keeps_to_its_budget(editor: Editor) -> None:
    editor.write({f"m{n}.py": f"def f{n}(a):\n" + f"    call(a, x{n}, {'y' * 300})\n" * 9 for n in range(60)})
    editor.open("b.py", "".join(f"f{n}(1)\n" for n in range(60)) + "    call(a, ")
    context = await editor.until("b.py", "def f59", "x0, ")
    assert sum(map(len, context)) <= sum(BUDGETS.values())
    assert sum(len(piece) for piece in context if "y" * 99 in piece) <= BUDGETS["similar"]


# Secrets

AWS = "AKIAQ6WNBFR4ZLXKT3VD"
PASSWORD = "correct-horse-battery-9"
TOKEN = "ghp_aK3xV9mQ2nR7tY1wZ5bC8dF4gH6jL0pS2uXe"


def secretive(n: int) -> dict[str, str | bytes]:
    """Files, each with the same call to be retrieved and one secret that must not be."""
    call = f"store_all(value_{n}, where)\n"
    return {
        f"signature{n}.py": f'def store_all(value, password="{PASSWORD}"): ...\n' + call,
        f"docstring{n}.py": f'def store_all(value):\n    """Uses {AWS} to sign in."""\n' + call,
        f"comment{n}.py": f"# password: {PASSWORD}\ndef store_all(value): ...\n" + call,
        f"import{n}.py": f'import boto3; key = "{AWS}"\n' + call,
        f"token{n}.py": f'GITHUB = "{TOKEN}"\n' + call,
        f"key{n}.py": f'KEY = """-----BEGIN PRIVATE KEY-----\n{AWS}\n-----END PRIVATE KEY-----"""\n{call}',
        f"prose{n}.py": f'"""To sign in:\n\n    password: {PASSWORD}\n"""\n{call}',
        f"url{n}.py": f'URL = "https://me:{PASSWORD}@example.org/"\n' + call,
    }


async def test_no_secret_gets_on_the_wire(editor: Editor) -> None:
    marker = "store_all(marker_of_a_file_left_out, where)\n"
    editor.write(
        {
            **secretive(1),
            "pkg/inner.py": f'def store_all(value, secret="{PASSWORD}"): ...\n',
            ".env": f"AWS={AWS}\n{marker}",
            ".env.py": marker,  # by its name
            ".gitignore": "ignored*.py\n",
            "ignored.py": marker,
            "sub/.gitignore": "here.py\n",
            "sub/here.py": "def store_all(marker_of_a_file_left_out): ...\n",
            "globbed.py": marker,
            "node_modules/x.py": "def store_all(marker_of_a_file_left_out): ...\n",
            "big.py": marker + "# large\n" * (MAX_BYTES // 8),
            "binary.py": marker.encode() + b"\0",
            "server_key.pem": marker,
            ".ssh/config.py": marker,
        }
    )
    outside = editor.root.parent / f"{editor.root.name}-outside.py"
    outside.write_text(marker)
    (editor.root / "link.py").symlink_to(outside)
    editor.session.configure("test", {"exclude": ["*/globbed*.py"]})
    # The same as documents, one of which has an edit beside a secret.
    editor.open("ignored_and_open.py", marker)
    editor.open("globbed_and_open.py", marker)
    editor.open("big_and_open.py", marker + "# large\n" * (MAX_BYTES // 8))
    editor.open("plain.py", f'a = 1\nPASSWORD = "{PASSWORD}"\nstore_all(value_2, where)\n')
    editor.session.change(editor.uri("plain.py"), 2, [(((0, 0), (0, 0)), "edited_here = 1\n")])
    imports = f'import os; os.environ["SECRET_KEY"] = "{PASSWORD}"\nimport shelve\n'
    editor.open("main.py", imports + "value = 1\n" * 5_000 + "store_all(")
    context = await editor.until(
        "main.py", "value_1", "value_2", "edited_here", "import shelve", "def store_all(value)"
    )
    wrong = await editor.ask("main.py", f'"{TOKEN}" is no string', "store_all() takes no arguments")
    assert isinstance(wrong, tuple)
    assert any("takes no arguments" in piece for piece in wrong)
    for piece in (*context, *wrong):
        for secret in (AWS, PASSWORD, TOKEN, "marker_of_a_file_left_out"):
            assert secret not in piece, piece


@pytest.mark.parametrize("name", [".env", "deploy.pem", "id_rsa", ".aws/config", "credentials.json"])
async def test_documents_with_keys_are_neither_completed_nor_shown(editor: Editor, name: str) -> None:
    editor.open(name, "store_all(marker_of_a_key_file, 1)\n")
    refusal = await editor.ask(name)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "excluded"
    editor.write({"a.py": "store_all(shown, 1)\n"})
    editor.open("b.py", "store_all(")
    context = await editor.until("b.py", "shown")
    assert not any("marker_of_a_key_file" in piece for piece in context)


async def test_a_new_rule_counts_at_once(editor: Editor) -> None:
    editor.write({"a.py": "store_all(from_file, 1)\n"})
    editor.open("c.py", "store_all(from_document, 1)\n")
    editor.open("b.py", "store_all(")
    await editor.until("b.py", "from_file", "from_document")
    editor.session.configure("test", {"exclude": ["*/[ac].py"]})
    assert await editor.ask("b.py") == ()
    editor.write({"d.py": "store_all(from_another, 1)\n"})
    editor.session.following.files_changed()
    context = await editor.until("b.py", "from_another")
    assert not any("from_file" in piece or "from_document" in piece for piece in context)


async def test_a_reader_that_dies_is_no_trouble(editor: Editor) -> None:
    editor.write({"a.py": "store_all(from_file, 1)\n"})
    editor.open("b.py", "store_all(")
    await editor.until("b.py", "from_file")
    reading = editor.session.following._reading
    assert reading._process
    reading._process.kill()
    await reading._process.wait()
    await asyncio.sleep(0.1)
    editor.write({"c.py": "store_all(from_another, 1)\n"})
    await editor.until("b.py", "from_another")  # what a process that died was asked is asked again


async def test_texts_of_a_request_are_looked_through(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_tracker, "CLEANED_S", SECONDS)
    texts = ["all is well", f"not {TOKEN}", "", "\ud800"]
    assert await editor.session.following.cleaned(texts) == ("all is well", "\ufffd")
    editor.session.configure("test", {"exclude": ["*"]})
    assert await editor.session.following.cleaned(texts) == ()


async def test_nothing_is_read_without_a_workspace_or_an_open_document(tmp_path: Path) -> None:
    it = Following({}.get)
    it.refresh()
    assert it._reading._serving is None
