"""The edge of the service: what every request passes before anything reads it, and what every answer carries."""

import math
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from anyio import current_time, fail_after
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from throttled import MemoryStore, Throttled, rate_limiter

from app.errors import TooManyRequests
from app.problems import answer

CONTENT_SECURITY_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Of whatever sets none of its own: nothing of it is run, shown or framed."""
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STRICT_TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"
CLIENTS_REMEMBERED = 50_000
"""So many addresses, and so many users, are counted; of more, the one not seen for longest starts anew."""


class SecurityHeaders:
    """Gives every answer the headers that browsers keep to; what an answer sets itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY)
                message["headers"] = headers.raw
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class Allowance:
    """How many requests each of many may send in a minute; they may come at once. Memory is bounded."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._throttled = Throttled(
            using="gcra",
            quota=rate_limiter.per_min(per_minute, burst=per_minute),
            store=MemoryStore(options={"MAX_SIZE": CLIENTS_REMEMBERED}),
        )

    def take(self, key: str) -> None:
        """Count one request of `key`. Raises TooManyRequests with the seconds to wait."""
        result = self._throttled.limit(key)
        if result.limited:
            raise TooManyRequests(
                f"More than {self.per_minute:,} requests came in a minute. Retry-After says when to go on.",
                retry_after_seconds=max(1, math.ceil(result.state.retry_after)),
            )


def _party(address: str) -> str:
    """Return who answers for an address: of IPv6 the /64, since whoever has one of its addresses has all."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:  # a socket of the same machine has none
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class AddressAllowance:
    """Refuses requests of an address that sends too many, before anything else is done for them."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self.app, self.allowance = app, Allowance(per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            try:
                self.allowance.take(_party(scope["client"][0] if scope["client"] else ""))
            except TooManyRequests as refused:
                await answer(refused)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class TimeForBody:
    """Ends requests whose body takes longer than `seconds` to come, from the first look at it."""

    def __init__(self, app: ASGIApp, seconds: int) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        ends_at: float | None = None
        complete = False

        async def receive_in_time() -> Message:
            nonlocal ends_at, complete
            if complete:  # from here on only the end of the connection is waited for
                return await receive()
            ends_at = ends_at or current_time() + self.seconds
            try:
                with fail_after(ends_at - current_time()):
                    message = await receive()
            except TimeoutError:
                # The framework passes its own exceptions on, and takes any other for a body that it cannot read.
                raise HTTPException(408) from None
            complete = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time if scope["type"] == "http" else receive, send)
