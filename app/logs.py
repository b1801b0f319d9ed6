"""Logs: JSON lines with request id, trace, and who acted; never personal data, nor what somebody sent."""

import logging
import re
import sys
import time
import traceback
import uuid
from collections.abc import Iterator
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import METHODS, Metrics

TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")
"""A UUID: nobody's number or token looks like one."""
log = structlog.get_logger()


def configure(level: str) -> None:
    """Make every line of ours JSON on standard error, and leave the server's own access log out."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_places),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[Foreign()], level=logging.WARNING, force=True)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _places(exc_info: tuple[Any, BaseException, Any]) -> list[dict[str, Any]]:
    """Return kinds and places of an exception and its causes; what they say may be what somebody sent."""
    return [
        {
            "kind": f"{type(error).__module__}.{type(error).__qualname__}",
            "places": [
                f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)
            ],
        }
        for error in _chain(exc_info[1])
    ]


class Foreign(logging.Handler):
    """Logs what libraries do: where it was said, and at which place it broke, for the same reason."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        said = getattr(log, logging.getLevelName(record.levelno).lower(), log.error)
        failed = record.exc_info if record.exc_info and record.exc_info[1] is not None else None
        said("library", logger=record.name, place=f"{record.pathname}:{record.lineno}", exc_info=failed)


class RequestLog:
    """Gives each request an id, counts it, and logs it in one line when it ends."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        trace = TRACEPARENT.fullmatch(headers.get(b"traceparent", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, **({"trace_id": trace[1]} if trace else {}))
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            # The route's template, never the path: a path names a household.
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.observe(scope["method"], route, status, seconds)
            method = scope["method"] if scope["method"] in METHODS else "other"
            log.info("request", method=method, route=route, status=status, seconds=round(seconds, 4))
