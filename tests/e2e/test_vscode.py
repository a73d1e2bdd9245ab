"""A real VS Code, in a browser, with the packaged extension: type, see the ghost text, accept it, ..."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lsp_server.config.settings import LANGUAGES
from tests.e2e.conftest import ROOT, Place
from tests.e2e.vscode.workbench import Unavailable, Workbench, eventually

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(240)]

REAL, SCRIPTED = "lsp_server", "tests.e2e.vscode.scripted"

# What stands in the last line with MARK in it, ghost text included, frame by frame and each state once.
RECORD = """
window.seen = [];
window.recording = true;
(function frame() {
  if (!window.recording) return;
  const lines = [...document.querySelectorAll('.monaco-editor .view-line')].map((each) => each.textContent);
  const line = lines.filter((each) => each.includes('MARK')).at(-1)?.replaceAll('\\u00a0', ' ');
  if (window.seen.at(-1) !== line) window.seen.push(line);
  requestAnimationFrame(frame);
})();
"""
# Every text that a decoration puts behind something.
DRAFTS = """
window.drafts = new Set();
new MutationObserver(() => {
  for (const each of document.querySelectorAll('.monaco-editor .view-line [class*="ced-"]')) {
    const text = getComputedStyle(each, '::after').content;
    if (text && text !== 'none' && text !== 'normal') window.drafts.add(text.replaceAll('\\u00a0', ' '));
  }
}).observe(document.body, { subtree: true, childList: true, attributes: true });
"""


def program(folder: Path, module: str) -> str:
    """An `infill-ls` of this checkout, whose server is that module; the real one has a log in the folder."""
    path = folder / module
    environment = f"PYTHONPATH={ROOT} SCRIPTED_WIRE={folder / 'wire'}"
    log = f"--log {folder / 'server.log'}" if module == REAL else ""
    path.write_text(f'#!/bin/sh\nexec env {environment} {sys.executable} -m {module} "$@" {log}\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, Any]) -> Iterator[Workbench]:
    work = tmp_path_factory.mktemp("vscode")
    # A wild guess stays unseen: with no threshold at all there would be one beside every next edit.
    chosen = {**settings, "confidenceThreshold": 0.05, "logLevel": "debug"}
    mine = {f"infill.{name}": value for name, value in chosen.items()}
    try:
        made = Workbench(work / "workbench", mine, {"infill.serverPath": program(work, REAL)})
    except Unavailable as missing:
        if os.environ.get("INFILL_LS_REQUIRE_EDITOR") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    try:
        # What a workspace may not choose; were it taken, nothing below would work.
        theirs = {"infill.serverPath": "/theirs", "infill.model": "/theirs/model"}
        made.write(".vscode/settings.json", json.dumps(theirs))
        made.open_window(made.write("first.py", "value = 1\n"))
        made.wait_until_ready()
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def screenshot(request: pytest.FixtureRequest, bench: Workbench) -> Iterator[None]:
    yield
    bench.screenshot(request.node.name)
    bench.dismiss()


@pytest.fixture
def typed(place: Place) -> str:
    """What is typed in the tests: the last characters before the place."""
    return place.text[place.offset - 4 : place.offset]


@pytest.fixture
def initial(place: Place, typed: str) -> str:
    return place.text[: place.offset - len(typed)] + place.text[place.offset :]


@pytest.fixture
def shown(bench: Workbench, place: Place, typed: str, initial: str) -> tuple[Path, str]:
    """The example with what is typed, and the ghost text at the place."""
    path = bench.open("inventory.py", initial)
    bench.go_to(place.line, place.column - len(typed))
    bench.do("type", typed, 30)
    return path, bench.wait_for_offer()


def with_text(place: Place, text: str) -> str:
    return place.text[: place.offset] + text + place.text[place.offset :]


def servers(module: str) -> list[psutil.Process]:
    """The language servers of that module that belong to this run."""
    found = []
    for process in psutil.process_iter():
        try:
            here = process.environ().get("INFILL_LS_RUNTIME_DIR") == os.environ["INFILL_LS_RUNTIME_DIR"]
            if here and process.cmdline()[1:4] == ["-m", module, "serve"]:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_type_see_accept_undo(
    bench: Workbench, place: Place, typed: str, initial: str, shown: tuple[Path, str]
) -> None:
    path, ghost = shown
    bench.screenshot("ghost")
    assert ghost.strip()
    bench.expect(path, place.text)  # ghost text is not in the file
    assert bench.ghost == ghost
    bench.do("press", "Tab")
    bench.expect(path, with_text(place, ghost))
    assert bench.ghost == ""
    bench.do("press", "Control+z")
    bench.expect(path, place.text)
    bench.do("press", *["Control+z"] * len(typed))
    bench.expect(path, initial)


def test_the_status_bar_tells_the_time_it_took(bench: Workbench, shown: tuple[Path, str]) -> None:
    assert bench.wait_for_status(r"infill \d+(\.\d)? (ms|s)")
    bench.do("press", "Escape", "Control+k", "Alt+s")
    bench.do("wait", "/Modelembedded on cpu/.test(document.querySelector('.quick-input-list')?.textContent)")
    bench.screenshot("status_list")
    bench.do("press", "Escape")


def test_alternatives(bench: Workbench, place: Place) -> None:
    initial = place.text.replace("        self.quantity = quantity\n", "        self.quantity =\n")
    path = bench.open("alternatives.py", initial)
    line = initial[: initial.index("self.quantity =\n")].count("\n")
    bench.go_to(line, len("        self.quantity ="))
    bench.do("press", "Alt+\\")
    found = [bench.wait_for_ghost(20)]
    for _ in range(2):
        bench.do("press", "Alt+]")
        eventually("another suggestion", lambda: bench.ghost not in ("", found[-1]))
        found.append(bench.ghost)
    assert len(set(found)) >= 2
    bench.do("press", "Tab")
    bench.expect(path, initial.replace("self.quantity =\n", f"self.quantity ={found[-1]}\n"))


@pytest.mark.parametrize("rest", ["kept", "dismissed"])
def test_a_part_of_it(bench: Workbench, rest: str) -> None:
    before = "".join(f"{name} = compute_price(alpha, beta, gamma)\n" for name in ("first", "second"))
    path = bench.open(f"{rest}.py", f"{before}\n\nthird = compute_pric\n")
    bench.go_to(4, 20)
    bench.do("type", "e", 30)
    ghost = bench.wait_for_offer()
    taken = ""
    for _ in range(2):
        last = bench.ghost
        bench.do("press", "Control+ArrowRight")
        eventually("the rest", lambda last=last: 0 < len(bench.ghost) < len(last))
        assert ghost.endswith(bench.ghost)
        taken = ghost.removesuffix(bench.ghost)
    bench.expect(path, f"{before}\n\nthird = compute_price{taken}\n")
    if rest == "kept":
        bench.do("press", "Control+ArrowDown")  # the rest of the line
        bench.expect(path, f"{before}\n\nthird = compute_price{ghost}\n")
    else:
        bench.do("press", "Escape")
        eventually("nothing left over", lambda: not bench.ghost)
        bench.do("type", "# x")
        bench.expect(path, f"{before}\n\nthird = compute_price{taken}# x\n")


def act(bench: Workbench, entry: str) -> None:
    """An entry of the light bulb's list. The bulb is in the page before there is an action, but not seen."""
    bulb = "document.querySelector('.lightBulbWidget')?.checkVisibility({ visibilityProperty: true })"
    bench.do("wait", bulb, 30_000)
    bench.do("press", "Control+.")
    bench.do("click", f'.action-widget .monaco-list-row:has-text("{entry}")')


def test_the_light_bulb_fills_a_body(bench: Workbench) -> None:
    text = "def twice(value):\n    pass\n\n\ndef thrice(value):\n    return 3 * value\n"
    path = bench.open("body.py", text)
    bench.go_to(1, 6)
    act(bench, "Fill this body")
    changed = "document.querySelectorAll('.monaco-editor .view-line')[1].textContent.trim() !== 'pass'"
    bench.do("wait", changed, 60_000)
    head, rest = text.split("    pass\n")
    filled = bench.do("evaluate", "document.querySelectorAll('.monaco-editor .view-line')[1].textContent")
    bench.expect(path, f"{head}{filled.replace(chr(0xA0), ' ')}\n{rest}")
    bench.do("press", "Control+z")
    bench.expect(path, text)


def ask_for_rewrite(bench: Workbench, line: int) -> None:
    """Select two lines and ask for a rewrite. The box for the instruction is open afterwards."""
    bench.go_to(line, 0)
    bench.do("press", "Shift+ArrowDown", "Shift+ArrowDown", "Control+k", "Alt+r")
    title = "document.querySelector('.quick-input-title')?.textContent"
    bench.do("wait", f"{title} === 'Rewrite the selection'")


def test_a_rewrite_that_the_model_cannot_do(bench: Workbench, place: Place) -> None:
    """Said before anything is typed, with what could do it and where to set that."""
    path = bench.open("refused.py", place.text)
    bench.go_to(place.line - 3, 0)
    bench.do("press", "Shift+ArrowDown", "Control+k", "Alt+r")
    bench.wait_for_notice("the embedded model follows no instructions; DiffusionGemma does")
    assert (
        bench.do("evaluate", "document.querySelector('.quick-input-title')?.textContent")
        != "Rewrite the selection"
    )
    bench.do("click", '.notification-list-item a.monaco-button:has-text("Choose a Server")')
    bench.do("wait", "[...document.querySelectorAll('.settings-editor')].length > 0")
    bench.do("press", "Escape")
    bench.do("wait", "document.querySelector('.settings-editor') === null")
    bench.expect(path, place.text)


def choose(bench: Workbench, label: str) -> None:
    """An entry of the list behind the status bar."""
    bench.do("press", "Control+k", "Alt+s")
    row = f'.quick-input-list .monaco-list-row:has-text("{label}")'
    bench.do("wait", "document.activeElement?.closest('.quick-input-widget')?.textContent.includes('Turn o')")
    bench.do("type", label)
    bench.do("click", row)


def test_the_status_follows_the_language(bench: Workbench) -> None:
    path = bench.open("shape.rb", "def area\n  # TODO\nend\n")
    bench.wait_for_status("infill: off for Ruby")
    bench.screenshot("off_for_ruby")
    bench.do("press", "Control+k", "Alt+a")
    bench.wait_for_notice("off for Ruby")
    bench.dismiss()
    before = servers(REAL)
    choose(bench, "Turn on for Ruby")
    eventually("on", lambda: "off" not in bench.status)
    settings = bench.work / "data/User/settings.json"
    assert json.loads(settings.read_text())["infill.languages"] == [*LANGUAGES, "ruby"]
    bench.open("other.py", "value = 1\n")
    assert "off" not in bench.status
    bench.open("shape2.rb", path.read_text())
    bench.do("press", "Control+k", "Alt+l")  # and off again
    bench.wait_for_status("infill: off for Ruby")
    assert json.loads(settings.read_text())["infill.languages"] == [*LANGUAGES]
    assert servers(REAL) == before, "nothing was restarted"


def test_the_walkthrough_knows_that_the_server_runs(bench: Workbench) -> None:
    """Also after another tab of which extensions are told only the label, such as the settings."""
    bench.open("walk.py", "value = 1\n")
    bench.command("Preferences: Open Settings (UI)")
    bench.do("wait", "document.querySelector('.settings-editor') !== null")
    bench.do("press", "Control+1")
    choose(bench, "Walkthrough")
    step = "[...document.querySelectorAll('.getting-started-step')]"
    bench.do("wait", f"{step}.some((each) => each.textContent.includes('Have the language server found'))")
    bench.screenshot("walkthrough")
    bench.do("wait", f"{step}[0].querySelector('.codicon-getting-started-step-checked') !== null")
    assert "`" not in bench.do("evaluate", f"{step}.map((each) => each.textContent).join()")


def test_suggestions_are_turned_off_and_on(bench: Workbench) -> None:
    bench.open("switched.py", "value = 1\n")
    for key, off in (
        ("o", "infill: off$"),
        ("f", "infill: off in this file"),
        ("z", "infill: snoozed, 10 min"),
        ("l", "infill: off for Python"),
    ):
        bench.do("press", "Control+k", f"Alt+{key}")
        bench.wait_for_status(off)
        bench.do("press", "Control+k", f"Alt+{key}")
        eventually("on again", lambda: ":" not in bench.status)


def test_why_a_place_stayed_silent_is_in_the_list(bench: Workbench) -> None:
    bench.open("silent.py", "# a comment\nvalue = 1\n")
    bench.go_to(0, 11)
    bench.do("type", "x")
    open_list = ".quick-input-widget:not([style*='display: none']) .quick-input-list"
    listed = f'document.querySelector("{open_list}")?.textContent'
    until = time.monotonic() + 20
    while True:
        bench.do("press", "Control+k", "Alt+s")
        bench.do("wait", f"{listed}?.includes('Turn off')")
        text = bench.do("evaluate", listed)
        bench.screenshot("status_menu")
        bench.do("press", "Escape")
        bench.do("wait", f"!{listed}")
        if "Nothing offered" in text or time.monotonic() > until:
            break
    assert "line 1:" in text
    assert "Ctrl+K Alt+R" in text  # of an action
    assert "VS Code's own snooze" in text


RENAMED = "def area(width, height):\n    # both in metres\n    return width * height\n"
MARKED = "document.querySelectorAll('.glyph-margin-widgets .cgmr').length"
ADDED = """[...document.querySelectorAll('.monaco-editor .view-line [class*="ced-"]')]
  .map((each) => getComputedStyle(each, '::after').content.replaceAll('\\u00a0', ' '))
  .find((text) => text.includes('WORD')) ?? ''"""


def rename(bench: Workbench, name: str, text: str = RENAMED) -> Path:
    """The first parameter gets another name; its uses are the next edits."""
    bench.wait_until_ready()
    path = bench.open(name, text)
    bench.go_to(0, len("def area(width"))
    bench.do("press", *["Backspace"] * len("width"))
    bench.do("type", "depth", 30)
    return path


def test_the_next_edit_is_shown_gone_to_and_made(bench: Workbench) -> None:
    far = RENAMED.replace("    return", "    # and more\n" * 80 + "    return")
    for name, text in (("near.py", RENAMED), ("far.py", far)):
        path = rename(bench, name, text)
        bench.do("wait", ADDED.replace("WORD", "depth"), 20_000)
        if text == far:
            assert "line 83" in bench.do("evaluate", ADDED.replace("WORD", "depth"))
        else:
            assert bench.do("evaluate", MARKED)
        bench.screenshot(f"next_edit_{path.stem}")
        bench.do("press", "Tab")
        bench.do("wait", f"document.body.textContent.includes('Ln {text.count(chr(10))},')")
        bench.expect(path, text.replace("area(width", "area(depth"))
        bench.do("press", "Tab")
        bench.wait_for_line("return depth")
        bench.expect(path, text.replace("width", "depth"))
        bench.do("press", "Control+z")
        bench.wait_for_line("return width")
        bench.expect(path, text.replace("area(width", "area(depth"))


def test_the_next_edit_is_dismissed_and_turned_off(bench: Workbench) -> None:
    path = rename(bench, "unwanted.py")
    bench.do("wait", ADDED.replace("WORD", "depth"), 20_000)
    bench.do("press", "Escape")
    bench.do("wait", f"({ADDED.replace('WORD', 'depth')}) === ''")
    bench.do("press", "Control+End", "Tab")  # a tab again
    bench.expect(path, RENAMED.replace("area(width", "area(depth") + "    ")
    bench.do("press", "Control+k", "Alt+n")
    bench.wait_for_notice("next edits are off")
    rename(bench, "off.py")
    time.sleep(1)  # several times as long as it takes
    assert bench.do("evaluate", ADDED.replace("WORD", "depth")) == ""
    bench.do("press", "Control+k", "Alt+n")
    bench.wait_for_notice("next edits are on")


def test_a_killed_worker_costs_one_suggestion(
    bench: Workbench, place: Place, typed: str, initial: str, only_worker: Callable[[], psutil.Process]
) -> None:
    path = bench.open("killed.py", initial)
    bench.go_to(place.line, place.column - len(typed))
    worker = only_worker()
    worker.suspend()
    bench.do("type", typed[:-1], 30)
    time.sleep(0.5)
    worker.kill()
    worker.wait(10)
    time.sleep(0.5)  # the server knows it by now
    bench.do("type", typed[-1])
    assert bench.wait_for_offer().strip()
    assert only_worker().pid != worker.pid
    assert bench.notices == []
    bench.expect(path, place.text)


def test_two_windows_share_one_worker(bench: Workbench, only_worker: Callable[[], psutil.Process]) -> None:
    worker = only_worker()
    bench.open_window(
        bench.write("second.py", "def count_all(values):\n    return len(values)\n\n\ncount_all(\n")
    )
    try:
        bench.wait_until_ready()
        assert len(servers(REAL)) == 2
        bench.go_to(4, 10)
        bench.do("type", "v")
        assert bench.wait_for_offer()
        assert only_worker().pid == worker.pid
    finally:
        bench.do("closeWindow")


def scripted(bench: Workbench, **settings: Any) -> None:
    """Change to the server of `scripted.py`."""
    path = program(bench.work.parent, SCRIPTED)
    bench.set(settings, {"infill.serverPath": path, "infill.model": "scripted/model"})
    eventually("the other server", lambda: servers(SCRIPTED) and not servers(REAL), 30)
    bench.wait_until_ready()


def test_a_server_that_is_not_there(bench: Workbench) -> None:
    bench.set(machine={"infill.serverPath": "/gone/infill-ls"})
    bench.wait_for_notice("infill.serverPath: /gone/infill-ls is no program")
    eventually("no server", lambda: not servers(REAL), 30)


def test_a_program_that_is_another(bench: Workbench) -> None:
    bench.set(machine={"infill.serverPath": "/bin/false"})
    bench.wait_for_notice("this program is not infill-ls: /bin/false ended with 1 and printed: false (GNU")
    assert len(bench.notices) == 1, bench.notices  # and no EPIPE


def test_typing_what_the_ghost_text_says(bench: Workbench) -> None:
    """A hundred characters: the line looks the same in every frame, and the worker is not asked."""
    scripted(bench)
    path = bench.open("long.py", "# long\nMARK = \n")
    bench.go_to(1, 7)
    bench.do("type", "n")
    ghost = bench.wait_for_offer()
    assert len(ghost) > 100
    wire = bench.work.parent / "wire"
    requests = wire.read_text()
    bench.do("evaluate", RECORD)
    bench.do("type", ghost[:100], 25)
    eventually("the rest", lambda: bench.ghost == ghost[100:])
    assert bench.do("evaluate", "(window.recording = false, window.seen)") == [f"MARK = n{ghost}"]
    assert wire.read_text() == requests
    bench.do("press", "Tab")
    bench.expect(path, f"# long\nMARK = n{ghost}\n")


def test_a_block_resolves_before_it_is_offered(bench: Workbench) -> None:
    scripted(bench)
    path = bench.open("drafts.py", "total = \n")
    bench.do("evaluate", DRAFTS)
    bench.go_to(0, 8)
    bench.do("press", "Alt+\\")
    bench.do("wait", "[...window.drafts].some((each) => each.includes('count +'))")
    bench.screenshot("draft")
    assert bench.wait_for_ghost() == "count + offset"
    drafts = bench.do("evaluate", "[...window.drafts]")
    assert len(drafts) >= 3, drafts
    bench.expect(path, "total = \n")


@pytest.mark.parametrize("decision", ["apply", "discard", "close"])
def test_a_rewrite_is_shown_before_it_is_made(bench: Workbench, decision: str) -> None:
    scripted(bench)
    text = "def f(total):\n    return total\n\n\ntotal = f(1)\n"
    path = bench.open(f"{decision}.py", text)
    ask_for_rewrite(bench, 0)
    bench.do("type", "call it amount")
    bench.do("press", "Enter")
    bench.do("wait", "document.querySelector('.monaco-diff-editor .modified .view-line') !== null")
    bench.wait_for_line("return amount")
    bench.screenshot(f"preview_{decision}")
    assert path.read_text() == text
    if decision == "apply":
        bench.do("press", "Control+Enter")
    elif decision == "discard":
        bench.do("click", '.editor-actions [aria-label^="Discard Change"]')
    else:
        bench.do("press", "Control+w")
    bench.do("wait", "document.querySelector('.monaco-diff-editor') === null")
    wanted = text.replace("total", "amount", 2) if decision == "apply" else text
    eventually("the decision", lambda: bench.dirty == (decision == "apply"))
    bench.expect(path, wanted)


OLD = 'def f(a):\n    """Old."""\n    return a\n'


@pytest.mark.parametrize("when", ["docstring", "light bulb"])
def test_what_else_is_shown_before_it_is_made(bench: Workbench, when: str) -> None:
    """A docstring that takes the place of another."""
    scripted(bench)
    path = bench.open(f"shown_{when.replace(' ', '_')}.py", OLD)
    bench.go_to(0, 5)
    if when == "docstring":
        bench.do("press", "Control+k", "Alt+d")
    else:
        act(bench, "Refresh the docstring")
    bench.do("wait", "document.querySelector('.monaco-diff-editor .modified .view-line') !== null")
    assert path.read_text() == OLD
    bench.do("press", "Control+Enter")
    bench.do("wait", "document.querySelector('.monaco-diff-editor') === null")
    eventually("the change", lambda: bench.dirty)
    bench.expect(path, OLD.replace("Old.", "count + offset"))


def test_the_light_bulb_is_shown_first_where_everything_is(bench: Workbench) -> None:
    scripted(bench)
    bench.set(machine={"infill.previewChanges": "always"})
    text = "def f(count, offset):\n    pass\n"
    path = bench.open("shown_always.py", text)
    bench.go_to(1, 6)
    act(bench, "Fill this body")
    bench.do("wait", "document.querySelector('.monaco-diff-editor .modified .view-line') !== null")
    assert path.read_text() == text
    bench.do("press", "Control+Enter")
    bench.do("wait", "document.querySelector('.monaco-diff-editor') === null")
    bench.expect(path, text.replace("pass", "count + offset"))
    bench.set(machine={"infill.previewChanges": "rewrites"})


@pytest.mark.parametrize(
    ("keys", "text", "at", "expected"),
    [
        ("h", "def f(count, offset):\n    pass\n", (1, 4), "def f(count, offset):\n    count + offset\n"),
        (
            "a",
            "def f(count, offset):\n    pass\n\n\ndef g(count, offset):\n    ...\n",
            (0, 0),
            "def f(count, offset):\n    count + offset\n\n\ndef g(count, offset):\n    count + offset\n",
        ),
        ("x", "a = 1\nb = wrong\n", (1, 6), "a = 1\ncount + offset\n"),
        ("d", "def f(a):\n    return a\n", (1, 4), 'def f(a):\n    """count + offset"""\n    return a\n'),
    ],
    ids=["fill hole", "fill all", "fix", "docstring"],
)
def test_what_a_key_does(bench: Workbench, keys: str, text: str, at: tuple[int, int], expected: str) -> None:
    scripted(bench)
    path = bench.open(f"key_{keys}.py", text)
    bench.go_to(*at)
    if "wrong" in text:
        bench.do("wait", "document.querySelector('.squiggly-error') !== null")
    bench.do("press", "Control+k", f"Alt+{keys}")
    eventually("a change", lambda: bench.dirty)
    bench.expect(path, expected)


def test_words_that_look_unlikely_are_marked(bench: Workbench) -> None:
    scripted(bench)
    path = bench.open("doubts.py", "first = 1\nsecond = third\n")
    bench.go_to(1, 0)
    bench.do("press", "Control+k", "Alt+p")
    bench.wait_for_notice("look unlikely")
    bench.do("wait", "document.querySelector('.squiggly-info, .squiggly-warning, .squiggly-hint') !== null")
    bench.expect(path, "first = 1\nsecond = third\n")
