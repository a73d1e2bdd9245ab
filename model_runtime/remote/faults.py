"""What went wrong between this worker and a server, as one line that names the remedy.

The line never quotes a request or the key. Retries nothing: a fault only says whether another try, or another
server, may help.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from time import time

import httpx2

KEY = "INFILL_LS_API_KEY"  # environment variable

# How servers that read no images say so.
_BLIND = re.compile(r"image|multimodal|mmproj", re.IGNORECASE)
_TOO_LONG = (
    "maximum context length",
    "max_tokens must be at least 1",
)  # vLLM; the latter, where it just fits
_RESTART = "run `infill-ls worker stop`"


class Fault(Exception):
    """A server did not do what it was asked for. The message is one line for a person."""

    def __init__(
        self, message: str, *, again: bool = False, after_s: float = 0.0, status: int = 0, said: str = ""
    ) -> None:
        super().__init__(message)
        self.again = again  # the same request may work later, or elsewhere
        self.after_s = after_s  # seconds that the server asks to wait; 0: it does not
        self.status = status  # of HTTP; 0: there was no answer
        self.said = said  # the server's own words. Not for people or logs: they may quote the request


def of_status(
    url: str, path: str, status: int, headers: Mapping[str, str], said: str, *, keyed: bool
) -> Fault:
    """From an HTTP status. `said`: the server's error message. `keyed`: whether the request carried a key."""
    after_s, again = 0.0, False
    match status:
        case 401 | 403:
            fault = f"refuses the key in {KEY}" if keyed else "wants an API key"
            message = f"{url} {fault} ({status}); set {KEY} where your editor starts, then {_RESTART}"
        case 404 | 405:
            what = f"{url} has no {path}, or not for this model"
            message = f"{what} ({status}); check infill.backendUrl and infill.model"
        case 400 if any(words in said for words in _TOO_LONG):
            return no_room(url, said)
        case 413:
            message = f"{url} takes no request of this size (413); raise its limit"
        case 429 | 503:
            after_s, again = retry_after(headers), True
            wait = f"asks to wait {after_s:.0f} s" if after_s else "names no time to wait"
            message = f"{url} is busy ({status}) and {wait}; ask later, or add a server to infill.backendUrl"
        case _ if 300 <= status < 400:
            message = f"{url} redirects ({status}), which is not followed; correct infill.backendUrl"
        case _ if status >= 500:
            again = True
            message = f"{url} failed ({status}); its log says why"
        case _:
            what = f"{url} does not accept the request"
            message = f"{what} ({status}); check that its version and model fit infill.backend"
    return Fault(message, again=again, after_s=after_s, status=status, said=said)


def of_image(url: str, fault: Fault) -> Fault:
    """From the fault of a request with an image. Servers that read no images refuse one in several ways, some
    with a status of 500 and above."""
    blind = _BLIND.search(fault.said) and fault.status >= 500
    long = "maximum context length" in fault.said
    if long or (fault.status not in (400, 415, 422) and not blind):
        return fault
    what = f"{url} does not accept the request with its image ({fault.status})"
    remedy = "leave the image out, or set infill.model to one that reads images"
    return Fault(f"{what}; {remedy}", status=422)  # blames the request, not the server


def of_error(url: str, error: Exception) -> Fault:
    """From an exception of httpx2."""
    causes = list(_chain(error))
    if certificate := next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None):
        return Fault(
            f"the certificate of {url} is not trusted here ({_short(certificate)}); "
            "set SSL_CERT_FILE to the certificates of your CA",
            again=True,
        )
    if any(isinstance(c, ssl.SSLError) for c in causes):
        return Fault(f"{url} does not speak TLS; check whether infill.backendUrl means http", again=True)
    if isinstance(error, httpx2.ProxyError):
        return Fault(f"the proxy does not lead to {url}; check HTTPS_PROXY and NO_PROXY", again=True)
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError):
        what = f"{url} cannot be reached ({_reason(error, causes)})"
        return Fault(f"{what}; start the server or correct infill.backendUrl", again=True)
    if isinstance(error, httpx2.TimeoutException):
        return slow(url)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return Fault(f"{url} is no address of a server; correct infill.backendUrl")
    return cut(url)


def slow(url: str) -> Fault:
    """An answer that is not there, or not complete, in time."""
    return Fault(f"{url} takes too long; it is overloaded or stuck, its log says why", again=True)


def cut(url: str) -> Fault:
    """An answer that ends before it is complete."""
    return Fault(f"{url} ended its answer midway; its log says why", again=True)


def endless(url: str) -> Fault:
    """An answer that is far longer than was asked for."""
    return Fault(f"{url} does not stop writing; check that it takes max_tokens")


def no_room(url: str, said: str = "") -> Fault:
    """Of a prompt that leaves no room for an answer, or not for all of a canvas: the request's own fault."""
    what = f"{url} has no room for a prompt of this length (400)"
    return Fault(f"{what}; select less, or start it with a larger --max-model-len", status=400, said=said)


def not_understood(url: str) -> Fault:
    """An answer that is not of the form that was asked for."""
    return Fault(f"{url} answers in another format; check that infill.backend fits what runs there")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, from a Retry-After header with a number or a date; 0 where there is none."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):
        return 0.0


def _reason(error: Exception, causes: list[BaseException]) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "no answer"
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "unknown host"
        if isinstance(cause, OSError) and cause.errno:
            return errno.errorcode.get(cause.errno, "no connection").removeprefix("E").lower()
    return "no connection"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it was caused by, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _short(certificate: ssl.SSLCertVerificationError) -> str:
    """What the check of a certificate found; quotes nothing that the server sent."""
    return getattr(certificate, "verify_message", "") or "the check failed"
