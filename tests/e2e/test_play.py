"""`infill-ls play` in a real browser: type, see ghost text, accept it, go back through the steps, ..."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.vscode.driver import Driver, Unavailable

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(240)]

GHOST = """[...document.querySelectorAll('.ghost-text-decoration, .ghost-text')]
  .map((each) => each.textContent.replace(/\\u00a0/g, ' ')).join('')"""
TEXT = """[...document.querySelectorAll('.view-line')]
  .sort((a, b) => a.offsetTop - b.offsetTop)
  .map((each) => each.textContent.replace(/\\u00a0/g, ' ')).join('\\n')"""
OFFERED = "document.querySelector('#board .offered')?.textContent"
BOARD = "[...document.querySelectorAll('#board .piece')].map((each) => each.className)"


class Page:
    """The page as its user has it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.do = driver.do

    def value(self, code: str) -> Any:
        return self.do("evaluate", code)

    def wait(self, code: str, seconds: float = 30) -> Any:
        """Poll from this process: the page's content policy refuses code that did not come with it."""
        end = time.monotonic() + seconds
        while not (found := self.value(code)):
            if time.monotonic() > end:
                raise AssertionError(f"never came true: {code}; see {self.driver.picture()}")
            time.sleep(0.05)
        return found

    def text(self, element: str) -> str:
        return self.value(f"document.getElementById({json.dumps(element)}).textContent")

    def wait_for(self, element: str, words: str, seconds: float = 30) -> str:
        text = f"document.getElementById({json.dumps(element)}).textContent"
        return self.wait(f"{text}.includes({json.dumps(words)}) && {text}", seconds)

    def forget(self) -> None:
        """Empty the texts of the last answer, so that whatever is there next is new."""
        self.value("for (const id of ['outcome', 'told']) document.getElementById(id).textContent = ''")

    def slide(self, element: str, value: int) -> None:
        code = f"""(() => {{
          const slider = document.getElementById({json.dumps(element)});
          slider.value = {value};
          for (const name of ['input', 'change']) slider.dispatchEvent(new Event(name));
        }})()"""
        self.do("evaluate", code)


@pytest.fixture(scope="module")
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`infill-ls play` and the address that it printed."""
    command = [sys.executable, "-m", "lsp_server", "play", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as play:
        try:
            assert play.stdout
            yield play, play.stdout.readline().strip()
        finally:
            play.kill()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    try:
        driver = Driver(tmp_path_factory.mktemp("play"))
    except Unavailable as missing:
        if os.environ.get("INFILL_LS_REQUIRE_EDITOR") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def page(driver: Driver, process: tuple[subprocess.Popen[str], str]) -> Page:
    driver.do("open", process[1])
    page = Page(driver)
    page.wait("document.querySelector('.view-line') !== null")
    page.wait_for("state", "ready", 90)  # the worker starts and loads its model
    return page


@pytest.fixture(autouse=True)
def no_faults(driver: Driver) -> Iterator[None]:
    """No test may cause an error in the page."""
    yield
    assert driver.do("faults") == []


def server(process: subprocess.Popen[str]) -> psutil.Process:
    """The language server of the one page that is open."""
    (found,) = psutil.Process(process.pid).children()
    assert "serve" in found.cmdline()
    return found


def test_the_example_is_completed_at_once_and_tab_accepts(page: Page) -> None:
    ghost = page.wait(GHOST, 60)
    why = page.wait_for("outcome", f"Offered: {ghost}")
    assert "% sure)" in why
    # What the denoiser wrote is not what won here: only what won has the colours of what is sure.
    page.wait(f"{OFFERED} === {json.dumps(ghost)}")
    assert "That is likelier to be right than what the denoiser wrote: " in why
    assert not any("accepted" in piece or "best" in piece for piece in page.value(BOARD))
    page.driver.screenshot("offered")
    page.do("press", "Tab")
    page.wait(f"({TEXT}).includes({json.dumps('            raise' + ghost)})")
    assert page.value(GHOST) == ""


def test_the_steps_of_a_fill_can_be_gone_back_through(page: Page) -> None:
    page.do("press", "Control+z")
    page.forget()
    page.slide("steps", 16)  # asks again
    page.wait_for("outcome", "Offered")
    page.wait_for("told", "What is offered")  # all has been shown
    steps = int(page.value("document.getElementById('frame').max")) - 1
    assert 1 <= steps <= 16
    page.slide("frame", steps)
    last = page.value(BOARD)
    assert page.text("told").startswith(f"Step {steps} of {steps}:")
    assert not any("noise" in piece for piece in last)
    page.slide("frame", 0)
    first = page.value(BOARD)
    holes = [piece for piece in first if "pinned" not in piece]
    assert holes
    assert all("noise" in piece for piece in holes)
    assert page.text("told") == f"Before the first step: {len(holes)} positions of noise"
    assert len(first) == len(last)
    page.slide("frame", 1)
    assert page.text("told").startswith(f"Step 1 of {steps}:")
    page.driver.screenshot("steps")


def test_one_step_for_who_wants_one(page: Page) -> None:
    page.forget()
    page.slide("steps", 1)
    page.wait_for("outcome", "Offered")
    page.wait("document.getElementById('frame').max === '2'")  # noise, the step, and what is offered
    page.slide("steps", 8)


def test_what_is_typed_is_asked_for_and_kept(page: Page) -> None:
    page.do("select", "#sample", "inventory.py")
    page.do("click", "#editor")
    page.do("press", "Control+End")
    page.do("type", "\n    def rename(self, name, new):\n")
    page.do("press", "Shift+Home", "Delete")  # the indentation that the editor has put there
    page.do("type", "        if name not in ")
    page.forget()
    page.do("click", "#suggest")
    page.wait_for("outcome", "Offered")
    ghost = page.wait(GHOST)
    page.wait_for("told", "What is offered")
    page.slide("frame", 2)
    page.driver.screenshot("play")
    page.do("press", "Tab")
    page.wait(f"({TEXT}).includes({json.dumps('        if name not in ' + ghost.splitlines()[0])})")


@pytest.mark.parametrize("sample", ["cart.js", "route.ts", "ring.rs", "words.go"])
def test_other_languages_are_completed_without_the_denoiser(page: Page, sample: str) -> None:
    page.forget()
    page.do("select", "#sample", sample)
    assert "The denoiser was not asked" in page.wait_for("outcome", "Offered: ")
    ghost = page.wait(GHOST)
    assert page.value(OFFERED) == ghost
    assert not any("accepted" in piece for piece in page.value(BOARD)), "of another file"
    assert ghost in (ROOT / f"editor-clients/play/samples/{sample}.txt").read_text("utf-8")
    page.driver.screenshot(sample)


def test_what_is_dropped_causes_no_error(page: Page) -> None:
    """A suggestion that goes as soon as it is there: Monaco drops what it had begun for it."""
    page.do("select", "#sample", "empty.py")
    page.wait(f"({GHOST}) === ''")  # the ghost text of the sample before is not the one that is waited for
    page.forget()
    page.value("""new MutationObserver((changes, self) => {
      if (!document.querySelector('.ghost-text-decoration')) return;
      self.disconnect();
      const sample = document.getElementById('sample');
      sample.value = 'empty.py';
      sample.dispatchEvent(new Event('change'));
    }).observe(document.getElementById('editor'), { childList: true, subtree: true, attributes: true })""")
    page.do("select", "#sample", "cart.js")
    page.wait("document.getElementById('sample').value === 'empty.py'")
    page.wait_for("outcome", "Type, or press Suggest.")
    assert page.value(BOARD) == []


def test_why_nothing_is_offered_is_said(page: Page) -> None:
    page.do("select", "#sample", "empty.py")
    page.do("click", "#editor")
    page.do("type", "x = 1", 20)
    page.wait_for("outcome", "Nothing offered: ")


def test_all_holes_are_filled(page: Page) -> None:
    page.do("select", "#sample", "stack.py")
    page.wait(f"({TEXT}).includes('<fill>')")
    before = page.value(TEXT)
    page.do("click", "#fill-all")
    after = page.wait(f"({TEXT}) !== {json.dumps(before)} && ({TEXT})", 60)
    assert not any(line.strip() == "..." for line in after.splitlines())
    page.do("click", "#editor .view-line")
    page.do("press", "Control+z")
    page.wait(f"({TEXT}) === {json.dumps(before)}")


def test_proofreading_marks_words(page: Page) -> None:
    page.do("select", "#sample", "empty.py")
    page.do("click", "#proofread")
    page.wait_for("notices", "Select what is to be proofread")
    page.do("press", "Home", "Shift+End")
    page.do("click", "#proofread")
    page.wait("document.getElementById('notices').textContent.match(/in doubt/)", 60)


def test_a_setting_counts_at_once_and_a_bad_value_is_told(page: Page) -> None:
    if page.value("!document.querySelector('details').open"):
        page.do("click", "summary")
    assert "python" in page.value("document.getElementById('setting-languages').value")
    page.do("fill", "#setting-languages", "javascript")
    page.do("press", "Tab")
    page.do("select", "#sample", "inventory.py")
    page.do("click", "#suggest")
    page.wait_for("outcome", "infill-ls is off for python")
    page.do("fill", "#setting-languages", "python")
    page.do("press", "Tab")
    page.do("click", "#suggest")
    page.wait_for("outcome", "Offered")
    page.do("fill", "#setting-maxHoleTokens", "1000")
    page.do("press", "Tab")
    assert page.value("document.getElementById('setting-maxHoleTokens').matches(':invalid')")
    page.do("fill", "#setting-model", " ")
    page.do("press", "Tab")
    page.wait_for("notices", "infill.model: ' ' is not a model name or folder")
    page.do("fill", "#setting-model", "embedded")
    page.do("press", "Tab")
    page.driver.screenshot("settings")


def test_a_server_that_dies_comes_back(page: Page, process: tuple[subprocess.Popen[str], str]) -> None:
    old = server(process[0])
    page.do("click", "#editor")
    page.do("press", "Control+End")
    page.do("type", "\n# kept\n")
    old.kill()
    page.wait("!document.getElementById('banner').hidden")
    page.wait("document.getElementById('banner').hidden")
    assert server(process[0]).pid != old.pid
    assert "# kept" in page.value(TEXT)
    page.do("press", "Control+Home", "End")
    page.do("type", "\n")
    page.wait_for("outcome", "Nothing offered: ")  # the new one knows the text
    page.driver.do("faults")


def test_in_the_dark_and_narrow(driver: Driver, process: tuple[subprocess.Popen[str], str]) -> None:
    look = {"colorScheme": "dark", "reducedMotion": "reduce", "viewport": {"width": 1000, "height": 650}}
    driver.do("open", process[1], look)
    page = Page(driver)
    page.wait_for("outcome", "Offered", 60)
    # Nothing moves: the last frame is there as soon as the first.
    assert page.text("told") == "What is offered"
    assert page.value("document.documentElement.scrollWidth <= innerWidth")
    driver.screenshot("dark")
    driver.do("closeWindow")


def test_without_the_process_the_page_says_so(page: Page, process: tuple[subprocess.Popen[str], str]) -> None:
    process[0].send_signal(signal.SIGINT)
    assert process[0].wait(20) == 0
    page.wait_for("banner", "infill-ls play does not answer", 20)
    page.driver.do("faults")
