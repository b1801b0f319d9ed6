"""Explanations and letters."""

from typing import Annotated

from fastapi import APIRouter, Query

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.languages.words import words_for
from app.letters import cases
from app.letters.schemas import ExplanationRead
from app.problems import READ
from app.references import normalised

router = APIRouter(tags=["letters"])
MayRead = Annotated[Principal, requires(Permission.PROPOSAL_READ)]
Language = Annotated[
    str | None,
    Query(
        description="The language to tell it in (BCP 47); left out, the household's.",
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        max_length=35,
        examples=["uk"],
    ),
]


@router.get(
    "/applications/{reference}/explanation",
    operation_id="read_explanation",
    summary="Explain a case to the family",
    responses=READ,
)
def read_explanation(
    reference: str, session: DbSession, principal: MayRead, language: Language = None
) -> ExplanationRead:
    """Where its application stands, why it has a house or none, and what it can do: in plain sentences of its language.

    What a run proposes and nobody has decided on is left out.
    """
    case = cases.case_of(session, principal, normalised(reference))
    audit.record(session, principal, Act.EXPLANATION_READ, case.application)
    return ExplanationRead.of(case, words_for(language or case.application.household.language))
