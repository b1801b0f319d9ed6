"""Settlements, origins, milestones, jobs, houses and land-release areas as JSON."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response, status
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.fields import TEXT_PATTERN
from app.housing import houses, land, queries, settlements
from app.housing.models import House, HouseState, Job, LandReleaseArea, Origin, Settlement, SettlementStatus
from app.housing.readiness import shown_state
from app.housing.schemas import (
    HouseChange,
    HouseNew,
    HouseRead,
    JobWire,
    LandReleaseAreaChange,
    LandReleaseAreaNew,
    LandReleaseAreaRead,
    MilestoneRead,
    MilestoneSet,
    OriginNew,
    OriginRead,
    SettlementChange,
    SettlementNew,
    SettlementRead,
)
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.preconditions import TAGGED, TAGGED_NEW, IfMatch, require_version, tag
from app.problems import ACT, CHANGE, LIST, READ
from app.references import normalised

router = APIRouter(tags=["stock"])
MayRead = Annotated[Principal, requires(Permission.STOCK_READ)]
MayWriteStock = Annotated[Principal, requires(Permission.STOCK_WRITE)]
MayWriteHouses = Annotated[Principal, requires(Permission.HOUSE_WRITE)]
Place = Annotated[str | None, Query(description="Only in this settlement.", max_length=40)]
Search = Annotated[
    str | None, Query(description="Part of a name, address or key.", max_length=100, pattern=TEXT_PATTERN)
]
MilestoneName = Annotated[
    str,
    Path(
        description="Such as access_road, electricity, drinking_water.",
        pattern=r"^[a-z][a-z0-9_]{0,79}$",
        examples=["electricity"],
    ),
]


@router.get("/origins", operation_id="list_origins", summary="List former settlements", responses=LIST)
def list_origins(session: DbSession, _principal: MayRead, paging: Paging) -> Page[OriginRead]:
    """The settlements that families left."""
    rows, following = page(session, select(Origin), Origin, paging)
    return Page(items=[OriginRead.model_validate(row) for row in rows], next=following)


@router.post(
    "/origins",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_origin",
    summary="Add a former settlement",
    responses=ACT,
)
def add_origin(body: OriginNew, session: DbSession, principal: MayWriteStock, request_once: RequestOnce) -> OriginRead:
    """It can then be merged into a rebuilt one, and households can name it as where they came from."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        return OriginRead.model_validate(session.scalar(select(Origin).where(Origin.reference == made)))
    origin = settlements.add_origin(session, body.model_dump(), principal)
    request_once.remember(session, principal.reference, origin.reference)
    return OriginRead.model_validate(origin)


@router.get("/settlements", operation_id="list_settlements", summary="List settlements", responses=LIST)
def list_settlements(
    session: DbSession,
    _principal: MayRead,
    paging: Paging,
    status: Annotated[SettlementStatus | None, Query(description="Only with this status.")] = None,
    district: Annotated[
        str | None, Query(description="Only in this district.", max_length=120, pattern=TEXT_PATTERN)
    ] = None,
    q: Search = None,
) -> Page[SettlementRead]:
    """Each with its gates: what is met and what a family's return still waits for."""
    seen = query = queries.settlements()
    if status is not None:
        query = query.where(Settlement.status == status)
    if district is not None:
        query = query.where(Settlement.district == district)
    if q is not None:
        query = query.where(
            Settlement.name.icontains(q, autoescape=True) | Settlement.key.icontains(q, autoescape=True)
        )
    rows, following = page(session, query, Settlement, paging, seen)
    return Page(items=[SettlementRead.of(row) for row in rows], next=following)


@router.post(
    "/settlements",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_settlement",
    summary="Add a settlement",
    responses=ACT | TAGGED_NEW,
)
def add_settlement(
    body: SettlementNew, session: DbSession, principal: MayWriteStock, request_once: RequestOnce, response: Response
) -> SettlementRead:
    """A rebuilt village, and the origins merged into it."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        settlement = queries.settlement(session, made)
    else:
        fields = body.model_dump(exclude={"merged_from"})
        merged_from = [normalised(reference) for reference in body.merged_from]
        settlement = settlements.add(session, fields, merged_from, principal)
        request_once.remember(session, principal.reference, settlement.reference)
    tag(response, settlement)
    return SettlementRead.of(settlement)


@router.get(
    "/settlements/{reference}", operation_id="read_settlement", summary="Read a settlement", responses=READ | TAGGED
)
def read_settlement(reference: str, session: DbSession, _principal: MayRead, response: Response) -> SettlementRead:
    """With its gates, and the reason for each."""
    settlement = queries.settlement(session, normalised(reference))
    tag(response, settlement)
    return SettlementRead.of(settlement)


@router.patch(
    "/settlements/{reference}",
    operation_id="change_settlement",
    summary="Change a settlement",
    responses=CHANGE | TAGGED,
)
def change_settlement(
    reference: str,
    body: SettlementChange,
    session: DbSession,
    principal: MayWriteStock,
    if_match: IfMatch,
    response: Response,
) -> SettlementRead:
    """Suspending one takes its free houses out of every run at once."""
    settlement = queries.settlement(session, normalised(reference), principal.scope(Permission.STOCK_WRITE))
    require_version(settlement, if_match)
    fields = body.model_dump(exclude_unset=True)
    merged_from = fields.pop("merged_from", None)
    if merged_from is not None:
        merged_from = [normalised(each) for each in merged_from]
    settlements.change(session, settlement, fields, merged_from, principal)
    tag(response, settlement)
    return SettlementRead.of(settlement)


@router.put(
    "/settlements/{reference}/milestones/{name}",
    operation_id="set_milestone",
    summary="Say when a milestone was reached or is expected",
    responses=READ,
)
def set_milestone(
    reference: str, name: MilestoneName, body: MilestoneSet, session: DbSession, principal: MayWriteStock
) -> MilestoneRead:
    """Access road, electricity and drinking water are gates; school and clinic have no places before theirs."""
    settlement = queries.settlement(session, normalised(reference), principal.scope(Permission.STOCK_WRITE))
    milestone = settlements.record_milestone(
        session,
        settlement,
        name,
        achieved_on=body.achieved_on,
        expected_on=body.expected_on,
        actor=principal,
    )
    return MilestoneRead.model_validate(milestone)


def _jobs(session: Session, settlement: Settlement) -> list[JobWire]:
    query = select(Job).where(Job.settlement_id == settlement.id).order_by(Job.employer, Job.sector)
    return [JobWire.model_validate(job) for job in session.scalars(query)]


@router.get("/settlements/{reference}/jobs", operation_id="list_jobs", summary="List job openings", responses=READ)
def list_jobs(reference: str, session: DbSession, _principal: MayRead) -> list[JobWire]:
    """What employers in the settlement look for."""
    return _jobs(session, queries.settlement(session, normalised(reference)))


@router.put(
    "/settlements/{reference}/jobs",
    operation_id="set_jobs",
    summary="Set the job openings",
    responses=READ,
)
def set_jobs(
    reference: str,
    body: Annotated[list[JobWire], Body(max_length=2_000)],
    session: DbSession,
    principal: MayWriteStock,
) -> list[JobWire]:
    """These replace the ones before."""
    settlement = queries.settlement(session, normalised(reference), principal.scope(Permission.STOCK_WRITE))
    settlements.set_jobs(session, settlement, [job.model_dump() for job in body], principal)
    return _jobs(session, settlement)


def _shown(session: Session, house: House, response: Response) -> HouseRead:
    tag(response, house)
    return HouseRead.of(house, queries.state_shown(session, house))


@router.get("/houses", operation_id="list_houses", summary="List houses", responses=LIST)
def list_houses(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    settlement: Place = None,
    state: Annotated[HouseState | None, Query(description="Only in this state.")] = None,
    bedrooms: Annotated[int | None, Query(description="Only with so many bedrooms.", ge=0, le=60)] = None,
    step_free: Annotated[bool | None, Query(description="Only step-free ones, or only others.")] = None,
    q: Search = None,
) -> Page[HouseRead]:
    """The houses of the settlements that you see, in the state in which they are now."""
    seen = query = queries.houses(principal).with_only_columns(House)
    if settlement is not None:
        query = query.where(Settlement.reference == normalised(settlement))
    if state is not None:
        query = query.where(shown_state() == state.value)
    if bedrooms is not None:
        query = query.where(House.bedrooms == bedrooms)
    if step_free is not None:
        query = query.where(House.step_free == step_free)
    if q is not None:
        query = query.where(or_(*(column.icontains(q, autoescape=True) for column in (House.address, House.key))))
    rows, following = page(session, query, House, paging, seen)
    shown = session.execute(
        select(House.id, shown_state().label("state")).where(House.id.in_([row.id for row in rows]))
    )
    states = {row.id: row.state for row in shown}
    return Page(items=[HouseRead.of(row, states[row.id]) for row in rows], next=following)


@router.post(
    "/houses",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_house",
    summary="Add a house",
    responses=ACT | TAGGED_NEW,
)
def add_house(
    body: HouseNew, session: DbSession, principal: MayWriteHouses, request_once: RequestOnce, response: Response
) -> HouseRead:
    """Handed over if it says on which day, else under construction."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        return _shown(session, queries.house(session, principal, made, Permission.HOUSE_WRITE), response)
    scope = principal.scope(Permission.HOUSE_WRITE)
    settlement = queries.named_settlement(session, normalised(body.settlement), "#/body/settlement", scope)
    fields = body.model_dump(exclude={"settlement", "construction_started"})
    house = houses.add(session, settlement, fields, principal, construction_started=body.construction_started)
    request_once.remember(session, principal.reference, house.reference)
    return _shown(session, house, response)


@router.get("/houses/{reference}", operation_id="read_house", summary="Read a house", responses=READ | TAGGED)
def read_house(reference: str, session: DbSession, principal: MayRead, response: Response) -> HouseRead:
    """Its size and its state."""
    return _shown(session, queries.house(session, principal, normalised(reference)), response)


@router.patch("/houses/{reference}", operation_id="change_house", summary="Change a house", responses=CHANGE | TAGGED)
def change_house(
    reference: str,
    body: HouseChange,
    session: DbSession,
    principal: MayWriteHouses,
    if_match: IfMatch,
    response: Response,
) -> HouseRead:
    """Giving the day of handover hands it over. What a family reserved or living there rests on cannot change."""
    house = queries.house(session, principal, normalised(reference), lock=True)
    require_version(house, if_match)
    fields = body.model_dump(exclude_unset=True)
    started = fields.pop("construction_started", None)
    houses.change(session, house, fields, principal, construction_started=started)
    return _shown(session, house, response)


@router.get(
    "/land-release-areas", operation_id="list_land_release_areas", summary="List land-release areas", responses=LIST
)
def list_land_release_areas(
    session: DbSession, _principal: MayRead, paging: Paging, settlement: Place = None
) -> Page[LandReleaseAreaRead]:
    """Areas that were or are suspected or confirmed to hold mines."""
    seen = query = queries.land_release_areas()
    if settlement is not None:
        query = query.join(LandReleaseArea.settlement).where(Settlement.reference == normalised(settlement))
    rows, following = page(session, query, LandReleaseArea, paging, seen)
    return Page(items=[LandReleaseAreaRead.of(row) for row in rows], next=following)


@router.post(
    "/land-release-areas",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_land_release_area",
    summary="Register a land-release area",
    responses=ACT | TAGGED_NEW,
)
def add_land_release_area(
    body: LandReleaseAreaNew,
    session: DbSession,
    principal: MayWriteStock,
    request_once: RequestOnce,
    response: Response,
) -> LandReleaseAreaRead:
    """A hazardous one closes its settlement."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        area = queries.land_release_area(session, made)
    else:
        scope = principal.scope(Permission.STOCK_WRITE)
        settlement = queries.named_settlement(session, normalised(body.settlement), "#/body/settlement", scope)
        area = land.add(session, settlement, body.model_dump(exclude={"settlement"}), principal)
        request_once.remember(session, principal.reference, area.reference)
    tag(response, area)
    return LandReleaseAreaRead.of(area)


@router.patch(
    "/land-release-areas/{reference}",
    operation_id="change_land_release_area",
    summary="Change a land-release area",
    responses=CHANGE | TAGGED,
)
def change_land_release_area(
    reference: str,
    body: LandReleaseAreaChange,
    session: DbSession,
    principal: MayWriteStock,
    if_match: IfMatch,
    response: Response,
) -> LandReleaseAreaRead:
    """A new suspicion closes the settlement at once; a release opens it when it was the last gate."""
    area = queries.land_release_area(session, normalised(reference), principal.scope(Permission.STOCK_WRITE))
    require_version(area, if_match)
    land.change(session, area, body.model_dump(exclude_unset=True), principal)
    tag(response, area)
    return LandReleaseAreaRead.of(area)


@router.get(
    "/land-release-areas/{reference}",
    operation_id="read_land_release_area",
    summary="Read a land-release area",
    responses=READ | TAGGED,
)
def read_land_release_area(
    reference: str, session: DbSession, _principal: MayRead, response: Response
) -> LandReleaseAreaRead:
    """Its state and its papers."""
    area = queries.land_release_area(session, normalised(reference))
    tag(response, area)
    return LandReleaseAreaRead.of(area)
