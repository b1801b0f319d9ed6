"""Rows for tests: what a test does not name has an ordinary value, and everything is flushed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.access.models import Grant, Role, User
from app.access.passwords import NO_PASSWORD
from app.access.permissions import OPERATOR, Principal
from app.access.tokens import principal_of
from app.allocation import comparison, policies
from app.allocation.models import PolicyVersion, Proposal, ProposalState, Run, RunSettlement, RunState
from app.allocation.offer_models import GivenHow, Offer, OfferState
from app.allocation.placement_models import Placement, PlacementKind, PlacementReason, PlacementState
from app.allocation.preview_models import PolicyPreview, PreviewState
from app.break_glass.models import BreakGlassGrant
from app.database import utc_now
from app.documents.models import Document, DocumentKind
from app.documents.store import Store
from app.duplicates import decisions
from app.duplicates.decisions import Decision
from app.housing.models import (
    House,
    HouseState,
    Job,
    LandReleaseArea,
    LandState,
    Milestone,
    Origin,
    Settlement,
    SettlementStatus,
)
from app.housing.readiness import REQUIRED_MILESTONES
from app.policy.facts import Accommodation, Relationship, Sex
from app.policy.parameters import DEFAULT_POLICY
from app.references import new_reference
from app.registry import duplicates
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.models import Application, ApplicationState, Household, KinGroup, Person, Preference
from app.settings import Settings
from app.tenancy import holders
from app.tenancy.models import Tenancy

LONG_AGO = date(2020, 1, 1)
SO_LONG_AGO = datetime.combine(LONG_AGO, time(), UTC)
ADULT_BORN_ON, CHILD_BORN_ON = date(1980, 3, 24), date(2016, 5, 4)
_numbers = count(1)


def settlement(
    session: Session, name: str = "Valley", *, openings: Mapping[str, int] | None = None, **fields: Any
) -> Settlement:
    """A settlement whose gates are all met; `openings`: sector → jobs."""
    ordinary = {
        "district": "North",
        "latitude": 0.4,
        "longitude": 0.3,
        "school_places": 100,
        "clinic_patients": 500,
        "status": SettlementStatus.OPEN,
        "origins": [],
        "land_release_areas": [],
        "milestones": [Milestone(name=milestone, achieved_on=LONG_AGO) for milestone in REQUIRED_MILESTONES],
    }
    row = Settlement(name=name, **ordinary | fields)
    session.add(row)
    session.flush()
    for sector, number in (openings or {}).items():
        session.add(Job(settlement_id=row.id, employer="Cooperative", sector=sector, openings=number))
    session.flush()
    return row


def house(session: Session, place: Settlement, *, bedrooms: int = 1, **fields: Any) -> House:
    """A house handed over long ago."""
    ordinary = {
        "address": f"Street 1, house {next(_numbers)}",
        "rooms": bedrooms + 1,
        "floor_area_m2": 30.0 + 20 * bedrooms,
        "step_free": False,
        "storeys": 1,
        "solar_kw": 3.0,
        "handed_over_on": LONG_AGO,
        "state": HouseState.HANDED_OVER,
    }
    row = House(settlement=place, bedrooms=bedrooms, **ordinary | fields)
    session.add(row)
    session.flush()
    return row


def origin(session: Session, place: Settlement | None = None) -> Origin:
    """A former settlement, merged into `place`."""
    row = Origin(name="Upper Valley", latitude=0.5, longitude=0.3, settlement_id=place.id if place else None)
    session.add(row)
    session.flush()
    return row


def kin_group(session: Session) -> KinGroup:
    """A kin group without households yet."""
    row = KinGroup()
    session.add(row)
    session.flush()
    return row


def household(
    session: Session,
    *,
    children: int = 0,
    occupation: str | None = None,
    needs_step_free: bool = False,
    place: Settlement | None = None,
    **fields: Any,
) -> Household:
    """An eligible household of a head and `children`, from an origin merged into `place`."""
    number = next(_numbers)
    ordinary = {
        "registered_on": utc_now().date(),
        "origin": origin(session, place),
        "displaced_on": LONG_AGO,
        "current_accommodation": Accommodation.RENTED,
        "consent_on": LONG_AGO,
        "kin_group": None,
    }
    row = Household(
        **ordinary | fields,
        people=[
            Person(
                given_name=f"Amina{number}",
                family_name=f"Kovalenko{number}",
                sex=Sex.FEMALE,
                birth_date=ADULT_BORN_ON,
                relationship=Relationship.HEAD,
                needs_step_free=needs_step_free,
                occupation=occupation,
            ),
            *(
                Person(
                    given_name=f"Omar{number}",
                    family_name=f"Kovalenko{number}",
                    sex=Sex.MALE,
                    birth_date=CHILD_BORN_ON,
                    relationship=Relationship.CHILD,
                    needs_step_free=False,
                )
                for _ in range(children)
            ),
        ],
    )
    session.add(row)
    session.flush()
    return row


def application(
    session: Session, family: Household, preferred: Sequence[Settlement] = (), *, anywhere: bool = False, **fields: Any
) -> Application:
    """An eligible application for the settlements `preferred`, best first: one that runs take in."""
    row = Application(
        household=family,
        anywhere=anywhere,
        preferences=[Preference(rank=rank, settlement=place) for rank, place in enumerate(preferred, 1)],
        **{"state": ApplicationState.ELIGIBLE, "submitted_at": utc_now()} | fields,
    )
    session.add(row)
    session.flush()
    return row


def applicant(session: Session, *preferred: Settlement, anywhere: bool = False, **fields: Any) -> Application:
    """An eligible application of a household of its own, with `fields`."""
    return application(session, household(session, **fields), preferred, anywhere=anywhere)


def submitted(session: Session, *preferred: Settlement, **fields: Any) -> Application:
    """An application, of a household of its own with `fields`, that nobody has verified yet."""
    return application(session, household(session, **fields), preferred, state=ApplicationState.SUBMITTED)


def verified(session: Session, *preferred: Settlement, **fields: Any) -> Application:
    """An application, of a household of its own with `fields`, that nobody has decided on yet."""
    return application(
        session,
        household(session, **fields),
        preferred,
        state=ApplicationState.VERIFIED,
        verified_at=utc_now(),
    )


def document(session: Session, of: Application, **fields: Any) -> Document:
    """A document of the application `of`."""
    content, reference = f"%PDF-1.7 {next(_numbers)}".encode(), new_reference("DO")
    stored = Store.under(Settings().data_dir).write(content, reference)
    ordinary = {
        "kind": DocumentKind.IDENTITY,
        "media_type": "application/pdf",
        "size_bytes": len(content),
        "sha256": sha256(content).hexdigest(),
        "stored_as": stored.name,
    }
    row = Document(reference=reference, application_id=of.id, **ordinary | fields)
    row.secret = stored.secret
    session.add(row)
    session.flush()
    return row


def user(session: Session, *roles: Role, district: str | None = None, settlement: str | None = None) -> Principal:
    """A user with roles, everywhere or in one place, as one who acts."""
    row = User(
        username=f"user-{next(_numbers)}",
        display_name="A user",
        password_hash=NO_PASSWORD,
        grants=[Grant(role=role, district=district, settlement=settlement) for role in roles],
    )
    session.add(row)
    session.flush()
    return principal_of(row)


def grant(session: Session, user_reference: str, role: Role, *, settlement: str) -> Grant:
    """One more role of a user, in one settlement."""
    holder = session.scalars(select(User).where(User.reference == user_reference)).one()
    row = Grant(user_id=holder.id, role=role, settlement=settlement)
    session.add(row)
    session.flush()
    return row


def break_glass_grant(session: Session, family: Household, holder_id: int | None = None) -> BreakGlassGrant:
    """Leave of a user, or of a caseworker made for it, to read the household `family` for an hour."""
    row = BreakGlassGrant(
        user_id=holder_id or user(session, Role.CASEWORKER).user_id,
        household=family.reference,
        reason="It stands at this desk.",
        expires_at=utc_now() + timedelta(hours=1),
    )
    session.add(row)
    session.flush()
    return row


def duplicate_candidate(session: Session, place: Settlement) -> DuplicateCandidate:
    """Two households of the same names from an origin merged into `place`, and the suspicion that they are one."""
    shared = origin(session, place)
    first, second = (household(session, origin=shared) for _ in range(2))
    names = first.people[0].given_name, first.people[0].family_name
    second.people[0].given_name, second.people[0].family_name = names
    duplicates.look(session, [first.id, second.id])
    found = select(DuplicateCandidate).where(DuplicateCandidate.first_id == first.id)
    return session.scalars(found.where(DuplicateCandidate.second_id == second.id)).one()


def merge(session: Session, place: Settlement) -> Merge:
    """Two such households of which somebody decided that they are one."""
    candidate = duplicate_candidate(session, place)
    decided = Decision(CandidateState.SAME, "They were called.")
    made = decisions.decide(session, candidate.reference, decided, OPERATOR)
    if made is None:
        raise AssertionError("it led to no merge")
    return made


def land_release_area(session: Session, place: Settlement, **fields: Any) -> LandReleaseArea:
    """An area of `place` that was cleared long ago."""
    ordinary = {
        "state": LandState.CLEARED,
        "method": "manual",
        "hectares": 12.5,
        "released_on": LONG_AGO,
        "certificate": "LR-2020-0001",
        "geometry": {"type": "Polygon", "coordinates": [[[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]]},
    }
    row = LandReleaseArea(settlement=place, **ordinary | fields)
    session.add(row)
    session.flush()
    return row


def reservation(session: Session, reserved: House, **fields: Any) -> Proposal:
    """A household, with `fields`, for which a run that was drawn reserves the house `reserved`."""
    place = reserved.settlement
    policies.ensure_default(session)
    family = household(session, place=place, **fields)
    row = Proposal(
        run=Run(
            state=RunState.DRAWN,
            decided_at=utc_now(),
            policy_version=policies.in_force(session)[0],
            time_limit_seconds=60,
            seed="a seed",
            seed_source="made for a test",
            seed_is_public=False,
            snapshot="{}",
            snapshot_sha256="0" * 64,
            problem="{}",
            settlements=[RunSettlement(settlement=place, held=False)],
        ),
        household=family,
        application=application(session, family, [place], state=ApplicationState.ALLOCATED, settlement_id=place.id),
        state=ProposalState.RESERVED,
        tier=1,
        points=0,
        settlement=place,
        house_class="1-bedroom",
        house=reserved,
        reason="housed",
        explanation="A house is reserved.",
    )
    session.add(row)
    reserved.state = HouseState.RESERVED
    session.flush()
    return row


def offer(session: Session, given: Proposal, *, accepted: bool = False, **fields: Any) -> Offer:
    """The offer of the house that `given` reserves, issued now, to be answered in two weeks."""
    ordinary: dict[str, Any] = {
        "state": OfferState.ISSUED,
        "issued_at": utc_now(),
        "answer_by": utc_now().date() + timedelta(days=14),
        "run_id": given.run_id,
        "household_id": given.household_id,
        "house_id": given.house_id,
    }
    if accepted:
        today = utc_now().date()
        ordinary |= {"state": OfferState.ACCEPTED, "answered_on": today, "given_how": GivenHow.IN_PERSON}
        given.is_firm = True
    row = Offer(proposal=given, **ordinary | fields)
    session.add(row)
    session.flush()
    return row


def placement(session: Session, family: Household, place: Settlement, **fields: Any) -> Placement:
    """A placement that a planner requested: the household `family` is not to live in `place`."""
    ordinary = {
        "kind": PlacementKind.FORBID,
        "reason": PlacementReason.SAFETY,
        "state": PlacementState.REQUESTED,
        "requested_by_id": user(session, Role.PLANNER).user_id,
    }
    row = Placement(household=family, settlement=place, **ordinary | fields)
    session.add(row)
    session.flush()
    return row


def accepted(session: Session, reserved: House, **fields: Any) -> Proposal:
    """A reservation of `reserved` whose offer the household, with `fields`, has accepted."""
    given = reservation(session, reserved, **fields)
    offer(session, given, accepted=True)
    return given


def named(*relationships: Any) -> list[Any]:
    """Loader options for what a test reads of a row."""
    return [joinedload(each) for each in relationships]


def preview(session: Session) -> PolicyPreview:
    """A preview of a draft of the default policy that waits to be solved."""
    policies.ensure_default(session)
    row = PolicyPreview(
        state=PreviewState.QUEUED,
        draft=policies.draft(session, DEFAULT_POLICY, user(session, Role.PLANNER)),
        in_force=policies.in_force(session)[0],
        register_sha256="0" * 64,
        is_solved=True,
        time_limit_seconds=60,
        summary={"assessed": comparison.summary([], {}), "solved": None},
        households="[]",
        frozen="{}",
    )
    session.add(row)
    session.flush()
    return row


def previewed(session: Session, draft: PolicyVersion) -> PolicyVersion:
    """The `draft`, which somebody has previewed against the policy in force."""
    policies.ensure_default(session)
    row = preview(session)
    row.draft, row.in_force = draft, policies.in_force(session)[0]
    row.state, row.is_solved, row.frozen, row.finished_at = PreviewState.DONE, False, None, utc_now()
    session.flush()
    return draft


def tenancy(session: Session, lived_in: House, *, moved_in_on: date = LONG_AGO, **fields: Any) -> Tenancy:
    """A household, with `fields`, that was given the house `lived_in` and lives there."""
    given = reservation(session, lived_in, **fields)
    given.state, given.application.state = ProposalState.MOVED_IN, ApplicationState.HOUSED
    lived_in.state = HouseState.OCCUPIED
    row = Tenancy(
        house=lived_in, household=given.household, keys_given_on=moved_in_on, moved_in_on=moved_in_on, holders=[]
    )
    holders.begin(row, given.household)
    session.add(row)
    session.flush()
    return row
