"""Answers every failure as RFC 9457 problem+json, and documents each kind at its own address."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm.exc import StaleDataError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.errors import FieldError, HearthError

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger()

BY_STATUS: dict[int, type[HearthError]] = {
    400: errors.Malformed,
    401: errors.Unauthorised,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    408: errors.TooSlow,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.Invalid,
}
LOST_A_RACE = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL's states for a transaction that gave way to another: serialization, deadlock, lock not available."""
TAKES_NO_WRITES = "25006"
"""PostgreSQL's state for a write to a server that only reads, such as a standby that requests still come to."""
DETAILS = {
    400: "The Host header names no address of this service. Its operator lists them in HEARTH_ALLOWED_HOSTS.",
    408: "The body did not come in time, and nothing was changed. Send it again, or in smaller parts.",
    404: "There is nothing at this address that you may see.",
    413: "The body is larger than this address takes. Send it in parts, or import a file.",
    405: "This address does not take that method; the Allow header lists those that it does.",
}

HEADERS: dict[int, dict[str, Any]] = {
    429: {
        "headers": {
            "Retry-After": {
                "description": "After how many seconds to send it again.",
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    }
}
"""What OpenAPI says of headers that a kind of problem always has, by status."""


class WrongField(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="JSON pointer into what was sent.", examples=["#/body/people/0/birth_date"])
    message: str = Field(description="What is wrong and how to mend it.")


class Problem(BaseModel):
    """An RFC 9457 problem document. Some kinds add members of their own."""

    type: str = Field(description="Address, relative to the service, that documents this kind of problem.")
    title: str = Field(description="The kind, in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request and what to do.")
    errors: list[WrongField] = Field(description="The wrong fields, where fields are wrong.")


def responses(*kinds: type[HearthError]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI responses for the kinds of problem that an operation can answer."""
    return {
        kind.status: {
            "description": kind.title + ".",
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": kind("What is wrong here and what to do.").problem(),
                }
            },
            **HEADERS.get(kind.status, {}),
        }
        for kind in kinds
    }


# What operations of one kind can answer; what every operation can (malformed, too large, invalid) is added to all.
LIST = responses(errors.Unauthorised, errors.Forbidden)
READ = LIST | responses(errors.NotFound)
ACT = READ | responses(errors.Conflict)
CHANGE = ACT | responses(errors.PreconditionFailed, errors.PreconditionRequired)


def answer(error: HearthError) -> JSONResponse:
    """Return the response for `error`."""
    return JSONResponse(error.problem(), error.status, headers=error.headers, media_type=MEDIA_TYPE)


def _pointer(location: tuple[int | str, ...]) -> str:
    return "#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in location)


def invalid_request(error: RequestValidationError) -> HearthError:
    """Return what is wrong with a request whose fields did not validate."""
    if isinstance(error.body, bytes):
        return errors.UnsupportedMediaType("The body was not taken as JSON. Send it as Content-Type: application/json.")
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        where = next(each for each in found if each["type"] == "json_invalid")
        reason = where.get("ctx", {}).get("error", "it ends too early")
        return errors.Malformed(f"The body is not JSON: {reason}, at character {where['loc'][-1]}.")
    if any(each["type"] == "missing" and each["loc"] == ("header", "if-match") for each in found):
        return errors.PreconditionRequired("Send If-Match with the ETag that you read.")
    return errors.Invalid(
        f"{len(found)} field{'s are' if len(found) > 1 else ' is'} wrong; nothing was written.",
        [FieldError(_pointer(each["loc"]), each["msg"]) for each in found],
    )


def failed_database(error: DBAPIError | NoConnection) -> HearthError:
    """Return what a failure in the database means for whoever sent the request."""
    reason = getattr(error, "orig", error)
    if getattr(reason, "sqlstate", None) in LOST_A_RACE:
        log.warning("race_lost", error=type(reason).__name__)
        return errors.Conflict("Somebody changed the same things at the same moment. Send it again.")
    if isinstance(error, OperationalError | NoConnection) or getattr(reason, "sqlstate", None) == TAKES_NO_WRITES:
        log.error("database_unavailable", error=type(reason).__name__)
        return errors.Unavailable("The database is gone or busy, and nothing was changed. Try again in a minute.")
    return _fault(error)


def _fault(error: Exception) -> HearthError:
    log.error("unexpected", error=type(error).__name__, exc_info=error)
    return HearthError("A fault of ours, logged under this request's id. Nothing was changed.")


def _methods(request: Request) -> set[str]:
    """Return every documented method of the request's address, whichever route takes it.

    An address that is documented by itself, such as /applications/verify, is no reference of /applications/{reference}.
    """
    paths, path = request.app.openapi()["paths"], request.url.path
    matching = [path] if path in paths else [each for each in paths if compile_path(each)[0].match(path)]
    return {method.upper() for template in matching for method in paths[template]}


class PlainTextAsProblem:
    """Says as a problem document what the framework's own checks of hosts and of bodies say as plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        replaced: int | None = None

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] in (400, 413):
                media_type = Headers(raw=message["headers"]).get("content-type", "")
                replaced = None if media_type.startswith(MEDIA_TYPE) else message["status"]
            if replaced is None:
                await send(message)

        await self.app(scope, receive, send_problem)
        if replaced is not None:
            await answer(BY_STATUS[replaced](DETAILS[replaced]))(scope, receive, send)


class FaultAsProblem:
    """Answers a fault of ours, within what every answer carries; nobody further out sees what it says."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] != "http":
                raise
            refused = _fault(error)
            if started:  # all that is left is to cut the answer short
                raise ConnectionAbortedError("An answer was cut short.") from None
            await answer(refused)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Make `app` answer every failure as a problem document."""
    app.add_middleware(PlainTextAsProblem)
    app.add_middleware(FaultAsProblem)

    # As coroutines, since none of them waits: refusing has to cost less than asking does.
    @app.exception_handler(HearthError)
    async def _hearth(_request: Request, error: HearthError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def _fields(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(invalid_request(error))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        kind = BY_STATUS.get(error.status_code, errors.Malformed)
        headers = MutableHeaders(error.headers or {})
        if error.status_code == errors.MethodNotAllowed.status and (methods := _methods(request)):
            headers["Allow"] = ", ".join(sorted(methods))
        detail = DETAILS.get(error.status_code) if kind is not errors.Malformed else None
        return answer(kind(detail or f"{error.detail}.", headers=headers))

    @app.exception_handler(StaleDataError)
    async def _stale(_request: Request, _error: StaleDataError) -> JSONResponse:
        return answer(errors.PreconditionFailed("Somebody changed this while you did. Read it again."))

    @app.exception_handler(IntegrityError)
    async def _integrity(_request: Request, error: IntegrityError) -> JSONResponse:
        log.warning("constraint_refused", error=type(error.orig).__name__)
        return answer(
            errors.Conflict(
                "Somebody made the same thing, or changed what this rests on, at the same moment. Read it again."
            )
        )

    @app.exception_handler(DBAPIError)
    @app.exception_handler(NoConnection)
    async def _database(_request: Request, error: DBAPIError | NoConnection) -> JSONResponse:
        return answer(failed_database(error))

    @app.get("/problems/{kind}", include_in_schema=False)
    def describe_problem(kind: str) -> dict[str, Any]:
        """What a kind of problem means."""
        for each in errors.every_kind():
            if each.slug == kind:
                return {
                    "type": f"/problems/{kind}",
                    "title": each.title,
                    "status": each.status,
                    "meaning": each.meaning,
                }
        raise errors.NotFound("No such kind of problem.")
