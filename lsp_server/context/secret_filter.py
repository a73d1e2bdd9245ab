"""Takes lines that hold secrets out of a text, with detect-secrets' patterns.

Only its patterns are used: the library could also ask a service whether a key works, and that is never
called. Loading it takes 0.1 s and 20 MB, so only the reader process does.

Its patterns take 2 s a megabyte. Most lines cannot hold a secret, and a *first look* says so: each kind of
detector has one, true of every line in which it would find something, and only then is it asked.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
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
# Words that are long enough to be a random key. Tried only where a word begins: a long one takes no longer.
_WORD = re.compile(r"(?<![A-Za-z0-9_/+=-])(?=[A-Za-z_/+=-]*\d)[A-Za-z0-9_/+=-]{20,}")
_TO_LAST_SMALL = re.compile(r".*[a-z]", re.S)
_NOT_SECRET = frozenset({"Public IP (ipv4)"})
MAX_LINE = 5_000  # characters; a longer line counts as a secret: it is no code, and patterns take long
_REMEMBERED = 10_000  # texts of which is known which lines hold secrets

Test = Callable[[str], bool]  # of a line


def clean(text: str) -> str:
    """The text with an empty line for each that holds a secret, so that lines keep their numbers."""
    text = _PRIVATE_KEY.sub(lambda found: "\n" * found[0].count("\n"), text)
    lines = text.split("\n")
    if secret := _remembered(text, lines) if len(lines) > 1 else secret_lines(lines):
        for number in secret:
            lines[number] = ""
        text = "\n".join(lines)
    return text


_known: OrderedDict[bytes, Sequence[int]] = OrderedDict()  # digest of a text -> its lines that hold secrets


def _remembered(text: str, lines: Sequence[str]) -> Sequence[int]:
    """As `secret_lines`; a text that was seen before is not searched again."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if (known := _known.get(digest)) is None:
        known = _known[digest] = secret_lines(lines)
        if len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    _known.move_to_end(digest)
    return known


def secret_lines(lines: Sequence[str]) -> Sequence[int]:
    """The numbers of the lines that hold secrets, or are too long to be searched."""
    folded = [
        line.lower().replace("\u017f", "s") for line in lines
    ]  # the long s, as patterns that ignore case do
    whole = "\n".join(folded)
    found = {number for number, line in enumerate(lines) if len(line) > MAX_LINE}
    for first_look, holds_secret in _looks():
        if first_look(whole):
            found.update(
                number
                for number, line in enumerate(folded)
                if number not in found and first_look(line) and holds_secret(lines[number])
            )
    return sorted(found)


def _has(*parts: str) -> Test:
    def look(folded: str) -> bool:
        for part in parts:  # noqa: SIM110 (any() takes twice as long)
            if part in folded:
                return True
        return False

    return look


def _finds(pattern: str) -> Test:
    return lambda folded, search=re.compile(pattern).search: search(folded) is not None


# First looks, at a line or lines in lower case.
_KEYWORD = _has("key", "pass", "pwd", "secret", "contrase", "token", "credent")
_RUN = _finds(r"[\w/+=\\-]{20}")  # every key is at least as long
_FIRST_LOOKS: dict[str, Test] = {  # by detect-secrets' name of the kind
    "Artifactory Credentials": _has("akc", "ap"),
    "AWS Access Key": _RUN,
    "Azure Storage Account access key": _RUN,
    "Base64 High Entropy String": _RUN,
    "Basic Auth Credentials": _has("://"),
    "Cloudant Credentials": _RUN,
    "Discord Bot Token": _RUN,
    "GitHub Token": _RUN,
    "GitLab Token": _RUN,
    "Hex High Entropy String": _finds(r"""["'][0-9a-f]{9}"""),
    "IBM Cloud IAM Key": _RUN,
    "IBM COS HMAC Credentials": _RUN,
    "JSON Web Token": _has("eyj"),
    "Mailchimp Access Key": _RUN,
    "NPM tokens": _KEYWORD,
    "OpenAI Token": _RUN,
    "Private Key": _KEYWORD,
    "PyPI Token": _RUN,
    "Secret Keyword": _KEYWORD,
    "SendGrid API Key": _RUN,
    "Slack Token": _has("xox", "slack"),
    "SoftLayer Credentials": _RUN,
    "Square OAuth Secret": _RUN,
    "Stripe Access Key": _RUN,
    "Telegram Bot Token": _RUN,
    "Twilio API Key": _RUN,
}


@cache
def _looks() -> Sequence[tuple[Test, Test]]:
    """Each first look with what says whether a line that passes it holds a secret. Kinds that detect-secrets
    may have beside those known here are asked about every line."""
    grouped: dict[Test, list[Test]] = {}
    for kind, detector in detectors():
        grouped.setdefault(_FIRST_LOOKS.get(kind, bool), []).append(detector)
    return [
        (look, lambda line, each=each: any(found(line) for found in each)) for look, each in grouped.items()
    ]


@cache
def detectors() -> Sequence[tuple[str, Test]]:
    """All kinds of secrets by detect-secrets' names, each with what says whether a line holds one."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.keyword import CONFIG_DENYLIST_REGEX_TO_GROUP

    classes = get_mapping_from_secret_type_to_class()
    plugins: dict[str, Any] = {name: make() for name, make in classes.items() if name not in _NOT_SECRET}
    base64 = plugins["Base64 High Entropy String"]
    keyword = plugins["Secret Keyword"]

    def matches(plugin: Any) -> Test:
        return lambda line: any(True for _ in plugin.analyze_string(line))

    def random(plugin: Any) -> Test:
        return lambda line: any(_is_random(plugin, found) for found in plugin.analyze_string(line))

    def loose(line: str) -> bool:
        unquoted = next((part for found in _LOOSE.finditer(line) for part in found.groups() if part), "")
        return any(True for _ in keyword.analyze_string(unquoted, CONFIG_DENYLIST_REGEX_TO_GROUP))

    def prose(line: str) -> bool:
        return bool(_PROSE.match(line))

    def words(line: str) -> bool:
        return any(_is_random(base64, found) for found in _words(line))

    own = [("Secret Keyword", loose), ("Secret Keyword", prose), ("Base64 High Entropy String", words)]
    return (
        *(
            (kind, (random if hasattr(each, "entropy_limit") else matches)(each))
            for kind, each in plugins.items()
        ),
        *own,
    )


def _words(line: str) -> Iterator[str]:
    """Words with a digit that have a small letter in them, or behind them before the next space."""
    for part in line.split():
        small = end.end() if (end := _TO_LAST_SMALL.match(part)) else 0
        yield from (found[0] for found in _WORD.finditer(part) if found.start() < small)


def _is_random(plugin: Any, text: str) -> bool:
    enough = len(set(text)) > 2**plugin.entropy_limit  # so many signs at least for that much entropy
    return enough and plugin.calculate_shannon_entropy(text) > plugin.entropy_limit
