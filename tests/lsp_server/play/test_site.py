"""Who is let in, and what the page is handed."""

from __future__ import annotations

import pytest

from lsp_server.play.site import STATIC, Site

PORT = 4321


OWN = {"host": f"127.0.0.1:{PORT}"}


PAGE = OWN | {"origin": f"http://127.0.0.1:{PORT}"}


SITE = Site(PORT, {"version": "1"}, "secret")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/secret/", OWN, 200),
        ("/secret/index.html?x=1", OWN, 200),
        ("/secret/play.js", PAGE, 200),
        ("/secret/play.css", PAGE | {"sec-fetch-site": "same-origin"}, 200),
        ("/secret/", OWN | {"sec-fetch-site": "none"}, 200),
        ("/secret/", {"host": f"localhost:{PORT}"}, 200),
        ("/secret/config.json", PAGE, 200),
        ("/secret/lsp", PAGE, None),
        ("/secret/lsp", {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"}, None),
        # without the token, or with another one
        ("/", OWN, 403),
        ("/lsp", PAGE, 403),
        ("/play.js", OWN, 403),
        ("/Secret/", OWN, 403),
        ("/secre/lsp", PAGE, 403),
        ("/secrets/lsp", PAGE, 403),
        ("/sécret/", OWN, 403),
        ("//secret/", OWN, 403),
        # a name of somebody else's that leads here
        ("/secret/", {"host": f"evil.example:{PORT}"}, 403),
        ("/secret/", {"host": "127.0.0.1"}, 403),
        ("/secret/", {}, 403),
        # a page of somebody else's
        ("/secret/lsp", OWN | {"origin": "http://evil.example"}, 403),
        ("/secret/lsp", OWN | {"origin": f"https://127.0.0.1:{PORT}"}, 403),
        ("/secret/lsp", OWN | {"origin": "http://127.0.0.1:9999"}, 403),
        ("/secret/lsp", OWN | {"origin": "null"}, 403),
        ("/secret/lsp", OWN, 403),  # no browser's page
        ("/secret/play.js", OWN | {"sec-fetch-site": "cross-site"}, 403),
        ("/secret/play.js", OWN | {"sec-fetch-site": "same-site"}, 403),
        # what is not the page's
        ("/secret/../settings.py", OWN, 404),
        ("/secret/sources.json", OWN, 404),
        ("/secret//etc/passwd", OWN, 404),
    ],
)
def test_who_gets_what(path: str, headers: dict[str, str], status: int | None) -> None:
    page = SITE.answer(path, headers)
    assert (page and page.status) == status
    assert page is None or page.body


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    page = SITE.answer("/secret/", OWN)
    assert page
    headers = SITE.headers(page)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert f"ws://127.0.0.1:{PORT}" in policy
    assert headers["Referrer-Policy"] == "no-referrer"  # the token is in the address
    for name in ("index.html", "play.css"):
        text = (STATIC / name).read_text("utf-8")
        assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https:" not in text


def test_each_run_has_a_token_of_its_own() -> None:
    tokens = {Site(PORT, {}).token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 32
