"""What goes out with a request, with the real reader process and a worker that keeps what it is sent."""

from __future__ import annotations

import asyncio

import pytest

from lsp_server.config.file_filter import MAX_BYTES
from lsp_server.context.gather import BUDGETS
from lsp_server.text.document import Refusal
from tests.lsp_server.context.editor import SECONDS, Editor
from tests.support.fakes import eventually

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


async def test_every_source_keeps_to_its_budget(editor: Editor) -> None:
    editor.write({f"m{n}.py": f"def f{n}(a):\n" + f"    call(a, x{n}, {'y' * 300})\n" * 9 for n in range(60)})
    editor.open("b.py", "".join(f"f{n}(1)\n" for n in range(60)) + "    call(a, ")
    context = await editor.until("b.py", "def f59", "x0, ")
    assert sum(map(len, context)) <= sum(BUDGETS.values())
    assert sum(len(piece) for piece in context if "y" * 99 in piece) <= BUDGETS["similar"]


async def note(editor: Editor, name: str, line: int, *messages: str) -> None:
    """A client has said what is wrong in a line."""
    snapshot = editor.session.snapshot(editor.uri(name), line)
    assert snapshot
    editor.session.note_problems(snapshot, (line, line), [(line, message) for message in messages])
    await asyncio.gather(*editor.session._background)


async def test_a_model_that_reads_is_told_of_the_document_s_own_edits_and_problems(editor: Editor) -> None:
    editor.session.configure("test", {"model": "org/chat"})
    text = "def area(w, h):\n    return w * h\n\n\n" + "x = 1\n" * 40
    editor.open("b.py", text + "area(")
    editor.open("a.py", "other = 1\n")
    await editor.until("b.py")
    await eventually(lambda: editor.session.tracker.index.text(str(editor.root / "b.py")), SECONDS)
    edit = ((0, 9), (0, 13)), "width, height"
    editor.session.change(editor.uri("b.py"), 2, [edit])
    context = await editor.until("b.py", "+ def area(width, height):")
    (piece,) = [piece for piece in context if "width" in piece]
    assert piece == "# b.py\n# was changed lately:\n# - def area(w, h):\n# + def area(width, height):\n"
    last = text.count("\n")
    await note(editor, "b.py", last, f'"{TOKEN}" is no string', "area() takes\ntwo arguments")
    context = await editor.until("b.py", "two arguments")
    assert "# b.py\n# is wrong in line 45: area() takes two arguments\n" in context
    assert TOKEN not in "".join(context)
    editor.session.change(editor.uri("b.py"), 3, [(((0, 0), (0, 0)), "\n")])
    assert any("line 46" in piece for piece in await editor.until("b.py"))
    editor.session.configure("test", {})
    for piece in await editor.until("b.py"):
        assert "lately" not in piece, "the embedded model does not read"
        assert "is wrong" not in piece


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
    for piece in context:
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
