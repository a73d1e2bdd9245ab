"""Takes lines that hold secrets out of a text, with detect-secrets' patterns.

Only its patterns are used: the library could also ask a service whether a key works, and that is never
called. Loading it takes 0.1 s and 20 MB, so only the reader process does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----.*?(-----END[^\n]*|\Z)", re.S)
# Text without quotes that may hold a secret: a shell assignment, or what follows a comment's mark.
_LOOSE = re.compile(
    r"^\s*(?:export\s+)?(?=[A-Z][A-Z0-9_]*=\S)(?P<shell>.*)|(?:^|\s)(?:#|//|/?\*|--|;|<!--)\s(?P<comment>.*)"
)
# In prose: a line such as `password: ...`, perhaps in a string or comment. A digit: else it may be a name.
_PROSE = re.compile(
    r"""^\W*[\w.-]*(?:passw|pwd|secret|api_?key|token|credential)[\w.-]*\s*[:=]\s*(?=\S*\d)[^\s()\[\]{}"',]{6,}["'\s]*$""",
    re.I,
)
# Words that are long enough to be a random key.
_WORD = re.compile(r"(?=[A-Za-z_/+=-]*\d)(?=\S*[a-z])[A-Za-z0-9_/+=-]{20,}")
_NOT_SECRET = frozenset({"Public IP (ipv4)"})


def clean(text: str) -> str:
    """The text with an empty line for each that holds a secret, so that lines keep their numbers."""
    text = _PRIVATE_KEY.sub(lambda found: "\n" * found[0].count("\n"), text)
    return "\n".join(
        "" if line and any(found(line) for found in _detectors()) else line for line in text.split("\n")
    )


@cache
def _detectors() -> tuple[Callable[[str], bool], ...]:
    """Each says whether a line holds a secret of its kind."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.keyword import CONFIG_DENYLIST_REGEX_TO_GROUP

    classes = get_mapping_from_secret_type_to_class()
    plugins: dict[str, Any] = {name: make() for name, make in classes.items() if name not in _NOT_SECRET}
    entropic = [plugin for plugin in plugins.values() if hasattr(plugin, "entropy_limit")]
    base64 = plugins["Base64 High Entropy String"]
    keyword = plugins["Secret Keyword"]

    def matches(plugin: Any) -> Callable[[str], bool]:
        return lambda line: any(True for _ in plugin.analyze_string(line))

    def random(plugin: Any) -> Callable[[str], bool]:
        return lambda line: any(_is_random(plugin, found) for found in plugin.analyze_string(line))

    def loose(line: str) -> bool:
        unquoted = next((part for found in _LOOSE.finditer(line) for part in found.groups() if part), "")
        return any(True for _ in keyword.analyze_string(unquoted, CONFIG_DENYLIST_REGEX_TO_GROUP))

    def prose(line: str) -> bool:
        return bool(_PROSE.match(line))

    def words(line: str) -> bool:
        return any(_is_random(base64, found) for found in _words(line))

    others = [plugin for plugin in plugins.values() if plugin not in entropic]
    return (*map(matches, others), *map(random, entropic), loose, prose, words)


def _words(line: str) -> Iterator[str]:
    return (found[0] for found in _WORD.finditer(line))


def _is_random(plugin: Any, text: str) -> bool:
    return plugin.calculate_shannon_entropy(text) > plugin.entropy_limit
