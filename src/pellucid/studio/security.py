"""Who may ask: the door in front of every request.

The studio listens on this machine alone unless it is told otherwise, and then wants a token. A page of another site,
open in the same browser, must not reach it: its Host (a name that was made to point here) and Origin give it away, and
it cannot send the header that every POST needs.
"""

from __future__ import annotations

import hmac
import logging
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from pellucid.data.listing import one_line
from pellucid.studio import wire

log = logging.getLogger("pellucid.studio")

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "pellucid-token"
OTHER_SITES = ("cross-site", "same-site")
"""What browsers say of requests that a page of another site, or of another port of this machine, made them send."""
HEADER = "x-pellucid"
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Door:
    """Lets a request through to the app, or says why not.

    Parameters
    ----------
    app : ASGI application
    token : str, optional
        What a browser must know. Without one, only requests to this machine's own names are answered.
    """

    def __init__(self, app: Any, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in ALWAYS.items() if k.encode() not in names]
                message = message | {"headers": [*message["headers"], *more]}
            await send(message)

        answer = self._refusal(scope) or self._token_answer(scope)
        await (answer or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Any) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.token is None and _hostname(host) not in LOOPBACK:
            return refused(scope, 403, f"the studio answers to 127.0.0.1 and localhost, not to {host!r}")
        origin = headers.get("origin")
        if origin is not None and _address(origin) != host:
            return refused(scope, 403, f"a page of {origin!r} may not use the studio")
        if headers.get("sec-fetch-site") in OTHER_SITES and not _opens_the_page(scope, headers):
            return refused(scope, 403, "a page of another site may not use the studio")
        if scope["method"] not in ("GET", "HEAD") and HEADER not in headers:
            return refused(scope, 403, f"the header {HEADER} is missing, by which the studio's page is known")
        return None

    def _token_answer(self, scope: Any) -> Response | None:
        """What becomes of a request where a token is needed; None to let it through."""
        if self.token is None:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = dict(query).get("token")
        if given is not None and self._is_right(given):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            return answer
        if self._is_right(_cookie(Headers(scope=scope))):
            return None
        return refused(scope, 401, "open the address with ?token=... that the studio printed when it began")

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self.token or "").encode())


def refused(scope: Any, status: int, sentence: str) -> Response:
    """An answer with one sentence, and a line in the log."""
    log.warning("%s %s: %d, %s", scope["method"], one_line(scope["path"]), status, one_line(sentence))
    return Response(wire.encoded({"error": sentence}), status, media_type="application/json")


def _opens_the_page(scope: Any, headers: Headers) -> bool:
    """A link to the page itself may stand anywhere."""
    return scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"


def _address(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""
