"""From the last keystroke to ghost text on the screen, in a real Neovim with the real server and model.

    python -m benchmarks.neovim [--places N] [--ghost builtin,own] [--json FILE]

Lines of this project's own modules are typed again from the middle, three keys each. Neovim itself notes when
the key came, when the request was sent, and when the first redraw with ghost text ended. Reported are

    wait    from the key to the request: Neovim's own debounce of 200 ms, or the plugin's
    rest    from the request to the ghost text
    fill    what the worker took of the rest, by `infill/status`
    whole   wait and rest

and the number of places that count. A place where nothing is offered within four seconds does not count.
Needs Neovim as the editor tests do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e import neovim
from tests.e2e.neovim import ROOT, Neovim

CLOCK = """
_G.times = {}
vim.on_key(function(key, typed)
  if typed ~= '' then
    times = { key = vim.uv.hrtime() }
  end
end)
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  if request.type == 'pending' and request.method == 'textDocument/inlineCompletion' then
    times.asked = vim.uv.hrtime()
  end
end })
local watch = vim.api.nvim_create_namespace('benchmark')
vim.api.nvim_set_decoration_provider(watch, { on_end = function()
  for _, name in ipairs({ 'nvim.lsp.inline_completion', 'infill.ghost' }) do
    local namespace = vim.api.nvim_get_namespaces()[name]
    if namespace and not times.drawn and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, {}) > 0 then
      times.drawn = vim.uv.hrtime()
    end
  end
end })
"""


def places(count: int) -> list[tuple[str, int, int]]:
    """Texts, a line of each, and where its last three typed characters begin."""
    found = []
    for path in sorted((ROOT / "lsp_server").rglob("*.py")):
        text = path.read_text("utf-8")
        for number, line in enumerate(text.splitlines()):
            at = line.find(" = ")
            if number > 30 and at > 8 and line.isascii() and not line.rstrip().endswith(("(", "[", "{")):
                found.append((text, number, at))
    step = max(1, len(found) // count)
    return found[::step][:count]


def measure(editor: Neovim, place: tuple[str, int, int]) -> tuple[float, float, float] | None:
    """Milliseconds to the request, from there to the screen, and of the model."""
    text, number, at = place
    lines = text.splitlines()
    editor.keys("<Esc>")
    editor.nvim.current.buffer[:] = [*lines[:number], lines[number][:at], *lines[number + 1 :]]
    editor.nvim.current.window.cursor = (number + 1, at)
    time.sleep(0.6)
    editor.keys("A")
    for key in lines[number][at : at + 3]:
        time.sleep(0.06)
        editor.type(key)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        times = editor.lua("return times")
        if "drawn" in times and "asked" in times:
            fill = editor.lua("return require('infill.status').now().latency") or 0.0
            return (times["asked"] - times["key"]) / 1e6, (times["drawn"] - times["asked"]) / 1e6, fill
        time.sleep(0.01)
    return None


def run(ghost: str, count: int) -> dict[str, float]:
    settings = {"deadlineMs": 20_000, "confidenceThreshold": 0.0}
    command = [sys.executable, "-m", "lsp_server", "serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        neovim.running(
            neovim.needed((0, 12)), command, Path(folder), {"ghost": ghost, "settings": settings}
        ) as editor,
    ):
        file = Path(folder) / "typed.py"
        file.write_text((ROOT / "examples" / "inventory.py").read_text("utf-8"))
        editor.nvim.ui_attach(120, 40, rgb=True)
        editor.open(file)
        editor.type_at(16, 23, " ")
        editor.wait_for_ghost()  # the model is loaded
        editor.lua(CLOCK)
        counted = [times for place in places(count) if (times := measure(editor, place))]
    if len(counted) < 2:
        sys.exit("hardly anything was offered; nothing to report")
    waits, rest, fills = ([each[part] for each in counted] for part in (0, 1, 2))
    whole = [wait + after for wait, after in zip(waits, rest, strict=True)]
    return {
        "places": len(counted),
        "wait_p50_ms": statistics.median(waits),
        "rest_p50_ms": statistics.median(rest),
        "rest_p90_ms": statistics.quantiles(rest, n=10)[-1],
        "fill_p50_ms": statistics.median(fills),
        "whole_p50_ms": statistics.median(whole),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--places", type=int, default=40)
    parser.add_argument("--ghost", default="builtin,own")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    names = ("wait_p50_ms", "rest_p50_ms", "rest_p90_ms", "fill_p50_ms", "whole_p50_ms")
    print(f"{'':10}{'places':>8}", *(f"{name.removesuffix('_ms'):>11}" for name in names))
    results = {}
    for ghost in chosen.ghost.split(","):
        results[ghost] = it = run(ghost, chosen.places)
        print(f"{ghost:10}{it['places']:>8}", *(f"{it[name]:>8.0f} ms" for name in names), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
