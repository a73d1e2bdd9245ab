"""One line with a remedy, from what a server or the network said."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from model_runtime.remote import faults
from model_runtime.remote.faults import Fault


def test_when_to_come_back() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert faults.retry_after({"retry-after": "7"}) == 7
    assert 25 < faults.retry_after({"retry-after": soon}) <= 30
    for nothing in ({}, {"retry-after": "soon"}, {"retry-after": "-5"}, {"retry-after": "1e400"}):
        assert faults.retry_after(nothing) == 0


def test_a_certificate_that_is_not_trusted() -> None:
    error = faults.httpx2.ConnectError("no")
    error.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    assert "set SSL_CERT_FILE" in str(faults.of_error("https://x", error))


@pytest.mark.parametrize(
    ("status", "said", "blames_the_image"),
    [
        (400, "", True),
        (415, "", True),
        (422, "", True),
        (500, "image input is not supported", True),  # llama.cpp
        (500, "load the mmproj first", True),
        (500, "out of memory", False),
        (400, "the maximum context length is 512 tokens", False),
        (401, "no image for you", False),
        (0, "", False),  # no answer
    ],
)
def test_whether_the_image_is_to_blame(status: int, said: str, blames_the_image: bool) -> None:
    fault = Fault("something else", status=status, said=said)
    found = faults.of_image("http://x", fault)
    assert (found is not fault) == blames_the_image
    if blames_the_image:
        assert "leave the image out" in str(found)
        assert (found.status, found.again) == (422, False), "the request's fault, not the server's"
