"""Explanations and letters."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import queries, what_ifs
from app.allocation.models import Proposal
from app.audit import Act
from app.errors import Conflict
from app.languages.words import words_for
from app.letters import cases, codes, letters, rendering
from app.letters.schemas import (
    ExplanationRead,
    LetterCheck,
    LetterCheckRead,
    SmallestChangeRead,
    SmallestChangesRead,
)
from app.pagination import LARGEST, Paging, page
from app.problems import ACT, READ
from app.references import normalised
from app.tenancy import appeal_queries, offer_queries

router = APIRouter(tags=["letters"])
MayRead = Annotated[Principal, requires(Permission.PROPOSAL_READ)]
MayReadOffers = Annotated[Principal, requires(Permission.OFFER_READ)]
MayReadAppeals = Annotated[Principal, requires(Permission.APPEAL_READ)]
Language = Annotated[
    str | None,
    Query(
        description="The language to tell it in (BCP 47); left out, the household's.",
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        max_length=35,
        examples=["uk"],
    ),
]
PDF, ZIP = "application/pdf", "application/zip"
NEXT = {"Hearth-Next": {"description": "The cursor of the next letters, if there are.", "schema": {"type": "string"}}}


def _binary(kind: str, what: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": what, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


@router.get(
    "/applications/{reference}/explanation",
    operation_id="read_explanation",
    summary="Explain a case to the family",
    responses=READ,
)
def read_explanation(
    reference: str, request: Request, session: DbSession, principal: MayRead, language: Language = None
) -> ExplanationRead:
    """Where its application stands, why it has a house or none, and what it can do: in plain sentences of its language.

    What a run proposes and nobody has decided on is left out.
    """
    case = cases.case_of(session, principal, normalised(reference), request.app.state.settings.zone)
    audit.record(session, principal, Act.EXPLANATION_READ, case.application)
    return ExplanationRead.of(case, words_for(language or case.application.household.language))


@router.post(
    "/applications/{reference}/smallest-change",
    status_code=status.HTTP_202_ACCEPTED,
    operation_id="ask_smallest_change",
    summary="Ask what would have housed a family",
    responses=ACT,
)
def ask_smallest_change(reference: str, request: Request, session: DbSession, principal: MayRead) -> SmallestChangeRead:
    """A worker solves the last run again with one change after the other; the explanation tells what it finds.

    Asked twice it is one question.
    """
    case = cases.case_of(session, principal, normalised(reference), request.app.state.settings.zone)
    if case.proposal is None:
        raise Conflict(f"No run was decided for application {case.application.reference} yet.")
    asked = what_ifs.ask_smallest_change(session, case.proposal, principal)
    if not audit.is_noted(session):
        audit.record(session, principal, Act.EXPLANATION_READ, case.application)
    return SmallestChangeRead.model_validate(asked)


@router.post(
    "/runs/{reference}/smallest-changes",
    status_code=status.HTTP_202_ACCEPTED,
    operation_id="ask_smallest_changes",
    summary="Ask what would have housed the families of a run",
    responses=ACT,
)
def ask_smallest_changes(reference: str, session: DbSession, principal: MayRead) -> SmallestChangesRead:
    """For families that you may see and that got no house, at most 200 at once: before their letters are printed.

    Each takes a worker several solves. Who it was asked for is not asked for again.
    """
    asked, left = what_ifs.ask_of_run(session, normalised(reference), LARGEST, principal)
    return SmallestChangesRead(asked=asked, left=left)


@router.get(
    "/applications/{reference}/letter",
    operation_id="read_letter",
    summary="Write to the family about the decision",
    response_class=Response,
    responses={**ACT, **_binary(PDF, "The letter.")},
)
def read_letter(
    reference: str, request: Request, session: DbSession, principal: MayRead, language: Language = None
) -> Response:
    """A letter to print: what was decided last and why, what the family can do, how to appeal and until when."""
    case = cases.case_of(session, principal, normalised(reference), request.app.state.settings.zone)
    letter = letters.of_case(case, language)
    audit.record(session, principal, Act.LETTER_READ, case.application)
    return Response(rendering.pdf(letter), media_type=PDF, headers=_attached(letters.file_name(case)))


@router.get(
    "/offers/{reference}/letter",
    operation_id="read_offer_letter",
    summary="Write to the family about an offer",
    response_class=Response,
    responses={**READ, **_binary(PDF, "The letter.")},
)
def read_offer_letter(
    reference: str, request: Request, session: DbSession, principal: MayReadOffers, language: Language = None
) -> Response:
    """A letter to print: which house, why, until when to answer, what declining means, and how to appeal."""
    offer = offer_queries.offer(session, principal, Permission.OFFER_READ, normalised(reference))
    (case,) = cases.cases_of(session, [offer.proposal_id], request.app.state.settings.zone)
    letter = letters.of_case(case, language)
    audit.record(session, principal, Act.LETTER_READ, offer)
    return Response(rendering.pdf(letter), media_type=PDF, headers=_attached(f"letter-{offer.reference}.pdf"))


@router.get(
    "/appeals/{reference}/letter",
    operation_id="read_appeal_letter",
    summary="Write to the family about its appeal",
    response_class=Response,
    responses={**READ, **_binary(PDF, "The letter.")},
)
def read_appeal_letter(
    reference: str, request: Request, session: DbSession, principal: MayReadAppeals, language: Language = None
) -> Response:
    """A letter to print: that the appeal is there and until when it is decided, or what became of it, why, and what
    follows."""
    appeal = appeal_queries.appeal(session, principal, normalised(reference))
    case = cases.case_of(session, principal, appeal.application.reference, request.app.state.settings.zone)
    letter = letters.of_appeal(case.appeal(appeal.reference), case, language)
    audit.record(session, principal, Act.LETTER_READ, appeal)
    return Response(rendering.pdf(letter), media_type=PDF, headers=_attached(f"letter-{appeal.reference}.pdf"))


@router.get(
    "/runs/{reference}/letters",
    operation_id="list_letters",
    summary="Write to the families of a run",
    response_class=StreamingResponse,
    responses={**ACT, 200: _binary(ZIP, "Letters, one PDF for each family.")[200] | {"headers": NEXT}},
)
def list_letters(
    reference: str, request: Request, session: DbSession, principal: MayRead, paging: Paging, language: Language = None
) -> StreamingResponse:
    """The letters of a run that was decided, for printing: each in its family's language, unless one is named."""
    query = queries.proposals(session, principal, normalised(reference))
    rows, following = page(session, query, Proposal, paging)
    found = cases.cases_of(session, [row.id for row in rows], request.app.state.settings.zone)
    if rows and not found:
        raise Conflict(f"Nobody has decided on run {normalised(reference)} yet: there is nothing to write about.")
    made = [(letters.file_name(case), letters.of_case(case, language)) for case in found]
    seen = audit.listed(rows, (case.application.household for case in found))
    audit.record(session, principal, Act.LETTER_LIST, details={"run": normalised(reference), **seen})
    headers = _attached(f"letters-{normalised(reference)}.zip")
    return StreamingResponse(
        _zipped(made), media_type=ZIP, headers=headers | ({"Hearth-Next": following} if following else {})
    )


@router.post(
    "/letters/check",
    operation_id="check_letter",
    summary="Check that a letter is genuine",
    responses=READ,
)
def check_letter(body: LetterCheck, session: DbSession, principal: MayRead) -> LetterCheckRead:
    """Whether its code is that of a letter with this application, day, and offer or appeal on it.

    What else a letter says, such as the house or until when to answer, is looked up under these references.
    """
    return LetterCheckRead(
        genuine=codes.is_genuine(
            session, principal, body.application, body.written_on, body.code, body.about, body.appeal_state
        )
    )


def _zipped(made: list[tuple[str, letters.Letter]]) -> Iterator[bytes]:
    """Rendered when the transaction has ended: nobody waits for paper."""
    yield letters.as_zip(made)
