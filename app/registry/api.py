"""Households, people, kin groups and applications as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, Today, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    Unauthorised,
)
from app.fields import TEXT_PATTERN
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.policy.facts import Accommodation
from app.preconditions import TAGGED, TAGGED_NEW, IfMatch, require_version, tag
from app.problems import ACT, CHANGE, LIST, READ, responses
from app.references import normalised
from app.registry import applications, households, queries
from app.registry.models import Application, ApplicationState, Household, KinGroup, Person
from app.registry.naming import named, wishes
from app.registry.schemas import (
    ApplicationChange,
    ApplicationNew,
    ApplicationRead,
    HouseholdChange,
    HouseholdNew,
    HouseholdRead,
    HouseholdSummary,
    KinGroupNew,
    KinGroupRead,
    PersonChange,
    PersonNew,
    PersonRead,
)

router = APIRouter(tags=["register"])
MayRead = Annotated[Principal, requires(Permission.HOUSEHOLD_READ)]
MayWrite = Annotated[Principal, requires(Permission.HOUSEHOLD_WRITE)]
MaySubmit = Annotated[Principal, requires(Permission.APPLICATION_SUBMIT)]


@router.get("/households", operation_id="list_households", summary="List households", responses=LIST)
def list_households(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    current_accommodation: Annotated[Accommodation | None, Query(description="Only those who live so now.")] = None,
    kin_group: Annotated[str | None, Query(description="Only those of this kin group.", max_length=40)] = None,
    national_id: Annotated[
        str | None,
        Query(description="Only that of the person with this document.", max_length=80, pattern=TEXT_PATTERN),
    ] = None,
    phone: Annotated[
        str | None, Query(description="Only those with this telephone number.", max_length=40, pattern=TEXT_PATTERN)
    ] = None,
    q: Annotated[
        str | None, Query(description="Part of a member's name, or a key.", max_length=100, pattern=TEXT_PATTERN)
    ] = None,
) -> Page[HouseholdSummary]:
    """The households that you may see."""
    query = queries.households(principal)
    if current_accommodation is not None:
        query = query.where(Household.current_accommodation == current_accommodation)
    if kin_group is not None:
        query = query.join(Household.kin_group).where(KinGroup.reference == normalised(kin_group))
    if national_id is not None:
        holder = exists().where(Person.household_id == Household.id, Person.national_id.is_equal(Person, national_id))
        query = query.where(holder)
    if phone is not None:
        query = query.where(Household.phone.is_equal(Household, phone))
    if q is not None:
        names = (Person.given_name, Person.family_name)
        named = exists().where(
            Person.household_id == Household.id, or_(*(name.icontains(q, autoescape=True) for name in names))
        )
        query = query.where(or_(named, Household.key.icontains(q, autoescape=True)))
    seen = select(Household).where(queries.visible_to(principal))  # also erased or merged, since the page before
    rows, following = page(session, query, Household, paging, seen)
    audit.record(session, principal, Act.HOUSEHOLD_LIST, details=audit.listed(rows))
    return Page(items=[HouseholdSummary.of(row) for row in rows], next=following)


@router.post(
    "/households",
    status_code=status.HTTP_201_CREATED,
    operation_id="register_household",
    summary="Register a household",
    responses=ACT | TAGGED_NEW,
)
def register_household(
    body: HouseholdNew,
    today: Today,
    session: DbSession,
    principal: MayWrite,
    request_once: RequestOnce,
    response: Response,
) -> HouseholdRead:
    """With all of its people at once. It applies with an application of its own."""
    made = request_once.made(session, principal.reference) or households.by_client_id(session, body.client_id)
    was_made = made is not None
    if made is None:
        fields = named(session, principal, body.model_dump(exclude={"people"}))
        fields["registered_on"] = fields["registered_on"] or today
        household = households.register(
            session,
            {name: value for name, value in fields.items() if name not in ("origin", "kin_group")},
            [person.model_dump() for person in body.people],
            origin=fields["origin"],
            kin_group=fields["kin_group"],
            actor=principal,
        )
        made = household.reference
        request_once.remember(session, principal.reference, made)
    return _household(session, principal, made, response, looks=was_made)


def _household(
    session: Session, principal: Principal, reference: str, response: Response, *, looks: bool
) -> HouseholdRead:
    household = queries.visible_household(session, principal, reference)
    if looks:
        audit.record(session, principal, Act.HOUSEHOLD_READ, household)
    tag(response, household)
    return HouseholdRead.of(household)


@router.get(
    "/households/{reference}", operation_id="read_household", summary="Read a household", responses=READ | TAGGED
)
def read_household(reference: str, session: DbSession, principal: MayRead, response: Response) -> HouseholdRead:
    """With its people."""
    return _household(session, principal, normalised(reference), response, looks=True)


@router.patch(
    "/households/{reference}", operation_id="change_household", summary="Change a household", responses=CHANGE | TAGGED
)
def change_household(
    reference: str,
    body: HouseholdChange,
    session: DbSession,
    principal: MayWrite,
    if_match: IfMatch,
    response: Response,
) -> HouseholdRead:
    """A run that has been requested keeps what it was requested with."""
    household = queries.visible_household(session, principal, normalised(reference))
    require_version(household, if_match)
    fields = named(session, principal, body.model_dump(exclude_unset=True))
    households.change(session, household, fields, principal)
    tag(response, household)
    return HouseholdRead.of(household)


@router.post(
    "/households/{reference}/people",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_person",
    summary="Add a person to a household",
    responses=ACT | responses(PreconditionFailed) | TAGGED_NEW,
)
def add_person(
    reference: str,
    body: PersonNew,
    session: DbSession,
    principal: MayWrite,
    request_once: RequestOnce,
    response: Response,
) -> PersonRead:
    """A birth, a marriage, a relative who joined. The ETag is the household's: its people change with it."""
    made = request_once.made(session, principal.reference)
    household = queries.visible_household(session, principal, normalised(reference))
    if made is not None:
        audit.record(session, principal, Act.HOUSEHOLD_READ, household)
        tag(response, household)
        return PersonRead.of(queries.visible_member(session, principal, made)[1], household)
    fields = body.model_dump()
    fields["partner"] = normalised(body.partner) if body.partner else None
    person = households.add_person(session, household, fields, principal)
    request_once.remember(session, principal.reference, person.reference)
    tag(response, household)
    return PersonRead.of(person, household)


@router.patch(
    "/people/{reference}",
    operation_id="change_person",
    summary="Change a person",
    responses=CHANGE | TAGGED,
)
def change_person(
    reference: str,
    body: PersonChange,
    session: DbSession,
    principal: MayWrite,
    if_match: IfMatch,
    response: Response,
) -> PersonRead:
    """If-Match is the household's ETag: its people change with it."""
    household, person = queries.visible_member(session, principal, normalised(reference))
    require_version(household, if_match)
    fields = body.model_dump(exclude_unset=True)
    if fields.get("partner"):
        fields["partner"] = normalised(fields["partner"])
    households.change_person(session, household, person, fields, principal)
    tag(response, household)
    return PersonRead.of(person, household)


@router.get("/kin-groups", operation_id="list_kin_groups", summary="List kin groups", responses=LIST)
def list_kin_groups(session: DbSession, principal: MayRead, paging: Paging) -> Page[KinGroupRead]:
    """The kin groups of households that you may see, and those that have none yet."""
    rows, following = page(session, queries.kin_groups(principal), KinGroup, paging)
    audit.record(session, principal, Act.KIN_GROUP_LIST, details=audit.listed(rows))
    return Page(items=[KinGroupRead.model_validate(row) for row in rows], next=following)


@router.post(
    "/kin-groups",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_kin_group",
    summary="Make a kin group",
    responses=ACT,
)
def add_kin_group(
    body: KinGroupNew, session: DbSession, principal: MayWrite, request_once: RequestOnce
) -> KinGroupRead:
    """Households that join it are housed together: whole, in one settlement, or not at all."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        again = session.scalar(queries.kin_groups(principal).where(KinGroup.reference == made))
        if again is None:  # the last of it was erased, or is seen no more
            raise NotFound("There is no such kin group that you may see.")
        return KinGroupRead.model_validate(again)
    group = households.add_kin_group(session, body.key, principal)
    request_once.remember(session, principal.reference, group.reference)
    return KinGroupRead.model_validate(group)


@router.get("/applications", operation_id="list_applications", summary="List applications", responses=LIST)
def list_applications(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[ApplicationState | None, Query(description="Only in this state.")] = None,
    household: Annotated[str | None, Query(description="Only of this household.", max_length=40)] = None,
) -> Page[ApplicationRead]:
    """The applications of the households that you may see."""
    query = queries.applications(principal)
    if state is not None:
        query = query.where(Application.state == state)
    if household is not None:
        query = query.where(Household.reference == normalised(household))
    seen = select(Application).join(Application.household).where(queries.visible_to(principal))
    rows, following = page(session, query, Application, paging, seen)
    found = audit.listed(rows, (row.household for row in rows))
    audit.record(session, principal, Act.APPLICATION_LIST, details=found)
    return Page(items=[ApplicationRead.of(row) for row in rows], next=following)


@router.post(
    "/applications",
    status_code=status.HTTP_201_CREATED,
    operation_id="begin_application",
    summary="Begin an application",
    responses=ACT | TAGGED_NEW,
)
def begin_application(
    body: ApplicationNew, session: DbSession, principal: MayWrite, request_once: RequestOnce, response: Response
) -> ApplicationRead:
    """It is a draft until it is submitted. A household has one live application."""
    made = request_once.made(session, principal.reference) or applications.by_client_id(session, body.client_id)
    if made is not None:
        application = queries.visible_application(session, principal, made)
        audit.record(session, principal, Act.APPLICATION_READ, application)
    else:
        household = queries.visible_household(session, principal, normalised(body.household))
        application = applications.create(
            session,
            household,
            client_id=body.client_id,
            wishes=wishes(session, body.preferences),
            anywhere=body.anywhere,
            actor=principal,
        )
        request_once.remember(session, principal.reference, application.reference)
    tag(response, application)
    return ApplicationRead.of(application)


@router.get(
    "/applications/{reference}", operation_id="read_application", summary="Read an application", responses=READ | TAGGED
)
def read_application(reference: str, session: DbSession, principal: MayRead, response: Response) -> ApplicationRead:
    """What it asks for and where it is on its way."""
    application = queries.visible_application(session, principal, normalised(reference))
    audit.record(session, principal, Act.APPLICATION_READ, application)
    tag(response, application)
    return ApplicationRead.of(application)


@router.patch(
    "/applications/{reference}",
    operation_id="change_application",
    summary="Change an application",
    responses=CHANGE | TAGGED,
)
def change_application(
    reference: str,
    body: ApplicationChange,
    session: DbSession,
    principal: MayWrite,
    if_match: IfMatch,
    response: Response,
) -> ApplicationRead:
    """Possible until it is allocated. What was verified or decided is to be so anew."""
    application = queries.visible_application(session, principal, normalised(reference))
    require_version(application, if_match)
    sent = body.model_fields_set
    override = None
    if sent & {"size_override", "size_override_reason"}:
        override = (
            body.size_override if "size_override" in sent else application.size_override,
            body.size_override_reason if "size_override_reason" in sent else application.size_override_reason,
        )
    applications.change(
        session,
        application,
        wishes=wishes(session, body.preferences) if "preferences" in sent else None,
        anywhere=body.anywhere if "anywhere" in sent else None,
        size_override=override,
        actor=principal,
    )
    tag(response, application)
    return ApplicationRead.of(application)


@router.post(
    "/applications/{reference}/submit",
    operation_id="submit_application",
    summary="Submit an application",
    responses=responses(Unauthorised, Forbidden, NotFound, Conflict, PreconditionFailed, Invalid) | TAGGED,
)
def submit_application(reference: str, session: DbSession, principal: MaySubmit, response: Response) -> ApplicationRead:
    """A draft, or one that was returned. Somebody else verifies it; once it is found eligible it takes part in runs."""
    application = queries.visible_application(session, principal, normalised(reference))
    applications.submit(session, application, principal)
    tag(response, application)
    return ApplicationRead.of(application)
