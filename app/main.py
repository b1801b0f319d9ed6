"""create_app(): the only place where parts are wired together."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache, partial
from importlib.metadata import version
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute

import app.access.account_api
import app.access.api
import app.access.provider_api
import app.allocation.api
import app.allocation.documents_api
import app.allocation.draws_api
import app.allocation.placements_api
import app.allocation.previews_api
import app.break_glass.api
import app.documents.api
import app.duplicates.api
import app.exchange.api
import app.housing.api
import app.letters.api
import app.oversight.api
import app.privacy.api
import app.registry.api
import app.registry.submissions_api
import app.tenancy.api
import app.tenancy.appeals_api
import app.tenancy.checks_api
import app.tenancy.members_api
import app.tenancy.offers_api
import app.tenancy.swaps_api
import app.verification.api
from app import documentation, errors, health, problems, rotation
from app.access import provider
from app.access.credentials import Rules
from app.access.dependencies import recognise
from app.access.doors import Doors
from app.access.hashing import Hashing
from app.access.second_factor import required_roles
from app.access.sessions import Limits
from app.access.vouching import Seen
from app.allocation import policies
from app.database import Database
from app.edge import AddressAllowance, Allowance, SecurityHeaders, TimeForBody
from app.keys import keyring
from app.logs import RequestLog, configure
from app.metrics import Metrics
from app.problems import Problem, responses
from app.settings import Settings
from app.worker import Worker

PREFIX = "/api/v1"
LARGEST_BODY = 1024 * 1024
FORM_AROUND = 64 * 1024
"""What the form around a document may add to it."""
DESCRIPTION = """Hearth decides which displaced family gets which rebuilt house, and can prove that the decision
was right.

Sign in with `POST /api/v1/tokens` and send the token as `Authorization: Bearer …`; browsers begin a session with
`POST /api/v1/session`. Lists come in pages: follow `next`.
Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem documents. What creates something takes an
`Idempotency-Key`; what changes something needs the `ETag` that you read, as `If-Match`.
"""
ABOUT: dict[str, Any] = {
    "title": "Hearth",
    "version": version("hearth"),
    "description": DESCRIPTION,
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
TAGS = [
    {"name": "access", "description": "Signing in, and users."},
    {"name": "stock", "description": "Settlements, origins, houses, milestones, jobs and land release."},
    {"name": "register", "description": "Households, people, kin groups and applications."},
    {"name": "verification", "description": "Verifying applications, and signing what the rules say of them."},
    {"name": "duplicates", "description": "Households that may be registered twice: a queue, decisions, merges."},
    {"name": "documents", "description": "What families bring as evidence."},
    {"name": "break glass", "description": "Reading one household beyond one's scope, and its review."},
    {"name": "exchange", "description": "Files in and out."},
    {"name": "policy", "description": "What the programme has decided."},
    {"name": "runs", "description": "Allocation runs: request, progress, proof, decision."},
    {"name": "offers", "description": "Houses offered to families, and what they answer."},
    {"name": "swaps", "description": "Families that swap their houses."},
    {"name": "occupancy", "description": "Moving in and out, and who lives where."},
    {"name": "appeals", "description": "Appeals: lodged, calculated, decided."},
    {"name": "letters", "description": "What families are told, in their language."},
    {"name": "oversight", "description": "The audit trail."},
    {"name": "privacy", "description": "Erasure, retention, and what a family is told is held of it."},
    {"name": "operation", "description": "Health and metrics."},
]


class Health(BaseModel):
    """How the service is."""

    status: str = Field(description="Always `ok`; anything else is a problem document.", examples=["ok"])


def create_app(settings: Settings | None = None, database: Database | None = None) -> FastAPI:
    """Return the service over the database that `settings` name, or over the one handed in."""
    settings = settings or Settings()
    configure(settings.log_level)
    database = database or Database(settings.url, settings.pool_size)

    @asynccontextmanager
    async def lifespan(_service: FastAPI) -> AsyncIterator[None]:
        await run_sync(health.require_ready, database)
        service.openapi()  # before the first requests, each of which would make it for itself
        async with database.request_session(writes=True) as session:
            await run_sync(rotation.require_every_key, session, keyring())
            await run_sync(policies.ensure_default, session)
        worker = Worker(database, settings) if settings.worker == "in_process" else None
        if worker:
            worker.start()
        yield
        if worker:
            await run_sync(worker.stop)
        database.dispose()

    service = FastAPI(
        **ABOUT,
        openapi_tags=TAGS,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        routes=[*_routes(settings.max_upload_mb, settings.max_document_mb)],
    )
    metrics = Metrics()
    service.state.settings, service.state.database, service.state.metrics = settings, database, metrics
    service.state.access_rules = Rules(
        Limits(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours)),
        required_roles(settings.second_factor_roles),
    )
    service.state.hashing, service.state.doors = Hashing(settings.hashes_at_once), Doors()
    service.state.identity_provider, service.state.tokens_seen = provider.configured(settings), Seen()
    service.state.user_allowance = Allowance(settings.user_requests_per_minute)
    # Each goes around those before it: the request passes them from the last to the first.
    service.add_middleware(TimeForBody, seconds=settings.body_seconds)
    service.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts, www_redirect=False)
    service.add_middleware(AddressAllowance, per_minute=settings.address_requests_per_minute)
    problems.install(service)
    service.add_middleware(SecurityHeaders)
    service.add_middleware(RequestLog, metrics=metrics)
    documentation.install(service)
    document = partial(_document, settings.max_upload_mb, settings.max_document_mb)
    service.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return service


@cache
def _routes(upload_mb: int, document_mb: int) -> Sequence[BaseRoute]:
    """Return the routes of every service of this process: they are slow to make, and at their first request too."""
    api = APIRouter()
    answers = responses(
        errors.Malformed,
        errors.TooSlow,
        errors.TooLarge,
        errors.UnsupportedMediaType,
        errors.Invalid,
        errors.TooManyRequests,
        errors.Unavailable,
    )
    query = [Depends(_check_query), Depends(recognise)]
    features = (
        app.access,
        app.housing,
        app.registry,
        app.break_glass,
        app.verification,
        app.allocation,
        app.tenancy,
        app.duplicates,
        app.letters,
        app.privacy,
    )
    routers = [feature.api.router for feature in (*features, app.oversight)]
    further = (
        app.access.account_api,
        app.access.provider_api,
        app.allocation.documents_api,
        app.allocation.draws_api,
        app.allocation.placements_api,
        app.allocation.previews_api,
        app.registry.submissions_api,
        app.tenancy.checks_api,
        app.tenancy.members_api,
        app.tenancy.offers_api,
        app.tenancy.appeals_api,
        app.tenancy.swaps_api,
    )
    for router in [*(each.router for each in further), *routers]:
        api.include_router(router, prefix=PREFIX, responses=answers, dependencies=query, max_body_size=LARGEST_BODY)
    api.include_router(
        app.exchange.api.router,
        prefix=PREFIX,
        responses=answers,
        dependencies=query,
        max_body_size=upload_mb * 1024 * 1024,
    )
    api.include_router(
        app.documents.api.router,
        prefix=PREFIX,
        responses=answers,
        dependencies=query,
        max_body_size=document_mb * 1024 * 1024 + FORM_AROUND,
    )
    api.include_router(_operation())
    return api.routes


async def _check_query(request: Request) -> None:
    """Refuse parameters that are unknown or repeated: a filter with a typing error would show everything."""
    operation = request.app.openapi()["paths"][PREFIX + request.scope["route"].path][request.method.lower()]
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    if operation.get("x-other-parameters"):  # what others may add to their answers
        known |= set(request.query_params)
    given = Counter(name for name, _value in request.query_params.multi_items())
    takes = f"It takes {', '.join(sorted(known))}." if known else "It takes none."
    wrong = {name: f"This address does not know it. {takes}" for name in given if name not in known}
    wrong |= {name: "Give it once." for name in given if name in known and given[name] > 1}
    if wrong:
        raise errors.Invalid(
            "A parameter of the query is wrong.",
            [errors.FieldError(f"#/query/{name}", message) for name, message in sorted(wrong.items())],
        )


def _operation() -> APIRouter:
    router = APIRouter(tags=["operation"], responses=responses(errors.Malformed, errors.TooManyRequests))

    @router.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        """Show the documentation."""
        return RedirectResponse("docs")

    @router.get("/livez", operation_id="livez", summary="Whether the process lives")
    def livez() -> Health:
        """Answers as long as the process can."""
        return Health(status="ok")

    @router.get(
        "/readyz", operation_id="readyz", summary="Whether it can serve", responses=responses(errors.Unavailable)
    )
    def readyz(request: Request) -> Health:
        """The database answers and is migrated to this version."""
        health.require_ready(request.app.state.database)
        return Health(status="ok")

    @router.get(
        "/metrics",
        operation_id="metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def read_metrics(request: Request) -> Response:
        """No label holds personal data."""
        metrics: Metrics = request.app.state.metrics
        return Response(metrics.exposition(), media_type="text/plain; version=1.0.0; charset=utf-8")

    return router


@cache
def _document(upload_mb: int, document_mb: int) -> dict[str, Any]:
    """Return the OpenAPI document: FastAPI's, with our problem documents in place of its own error bodies."""
    document = get_openapi(**ABOUT, tags=TAGS, routes=_routes(upload_mb, document_mb))
    schemas = document["components"]["schemas"]
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)
    own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(own.pop("$defs"))
    schemas["Problem"] = own
    documentation.give_examples(document)
    return document
