"""A program in a terminal of its own. What it draws can be read, waited for and saved as a picture."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyte

CELL = (9, 18)  # pixels of a character in a picture
COLOURS = {
    "black": "#000000",
    "red": "#cd3131",
    "green": "#0dbc79",
    "brown": "#e5e510",
    "blue": "#2472c8",
    "magenta": "#bc3fbc",
    "cyan": "#11a8cd",
    "white": "#e5e5e5",
    "brightblack": "#767676",
}


class _Screen(pyte.Screen):
    """pyte fails on sequences for newer terminals; those are ignored."""

    def report_device_status(self, mode: int, private: bool = False) -> None:
        if not private:
            super().report_device_status(mode)

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        if not private:
            super().select_graphic_rendition(*attributes)


class Terminal:
    def __init__(
        self,
        argv: list[str],
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        size: tuple[int, int] = (24, 100),
    ) -> None:
        self.screen = _Screen(size[1], size[0])
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        settings = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})}
        command = ["setsid", "--ctty", *argv]  # some open /dev/tty
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=settings, cwd=cwd
        )
        os.close(slave)
        self.screen.write_process_input = lambda data: os.write(self._master, data.encode())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the program has ended
                return
            if not data:
                return
            with self._lock:
                self._stream.feed(data)

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def lines(self) -> list[str]:
        with self._lock:
            return [line.rstrip() for line in self.screen.display]

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if result := condition():
                return result
            time.sleep(0.05)
        raise AssertionError(f"no {what} after {seconds} s:\n" + "\n".join(self.lines()))

    def wait_for(self, text: str, seconds: float = 20) -> None:
        self.wait(repr(text), lambda: any(text in line for line in self.lines()), seconds)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        os.close(self._master)

    def picture(self, path: Path) -> None:
        """What is on the screen now, as a PNG."""
        import matplotlib
        from PIL import Image, ImageDraw, ImageFont

        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        plain, bold = (ImageFont.truetype(fonts / f"DejaVuSansMono{kind}.ttf", 15) for kind in ("", "-Bold"))
        width, height = CELL
        image = Image.new("RGB", (self.screen.columns * width, self.screen.lines * height), "#1e1e1e")
        draw = ImageDraw.Draw(image)
        with self._lock:
            for row in range(self.screen.lines):
                for column in range(self.screen.columns):
                    cell = self.screen.buffer[row][column]
                    front, back = _colour(cell.fg, "#d4d4d4"), _colour(cell.bg, "#1e1e1e")
                    cursor = (row, column) == (self.screen.cursor.y, self.screen.cursor.x)
                    if cell.reverse != cursor:
                        front, back = back, front
                    x, y = column * width, row * height
                    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=back)
                    draw.text((x, y), cell.data, font=bold if cell.bold else plain, fill=front)
        image.save(path)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return COLOURS.get(name) or (f"#{name}" if len(name) == 6 else default)
