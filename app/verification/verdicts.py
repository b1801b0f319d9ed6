"""What the rules say of a household, and signing it: what is signed is what the rules said when it was shown."""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import policies
from app.allocation.models import PolicyVersion
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict
from app.housing.models import Origin
from app.lifecycles import require_transition
from app.policy.assess import assess
from app.policy.eligibility import Reason
from app.policy.facts import HouseholdFacts
from app.policy.parameters import Policy
from app.registry.applications import TRANSITIONS
from app.registry.checks import lock
from app.registry.facts import facts_of
from app.registry.households import require
from app.registry.models import PLACED, Application, ApplicationState, Household
from app.verification.verifications import require_stranger


@dataclass(frozen=True)
class Verdict:
    """What the rules of one policy say of one household, today: eligible, or every reason why not.

    `facts_hash` is the same as long as what they judge by is the same; how long the household has waited is no part.
    """

    eligible: bool
    reasons: tuple[Reason, ...]
    policy: str
    facts_hash: str


@dataclass(frozen=True)
class Stated:
    """The verdict that somebody has seen and signs. What is None was not shown, and is not compared."""

    eligible: bool
    policy: str | None = None
    facts_hash: str | None = None


def verdict(application: Application, version: PolicyVersion, policy: Policy) -> Verdict:
    """Return what `policy`, of `version`, says of the household of `application`, whose people must be loaded.

    What it has declined is no part: waiting for that ends by itself, and is for every run to see.
    """
    facts = facts_of(application.household, on=utc_now().date(), has_home=application.state in PLACED)
    found = assess(facts, policy).eligibility
    return Verdict(found.eligible, found.reasons, version.reference, _digest(application, facts))


def _digest(application: Application, facts: HouseholdFacts) -> str:
    judged_by = asdict(facts)
    judged_by.pop("waiting_days")
    judged_by["members"] = sorted(judged_by["members"], key=lambda member: str(member["key"]))
    return audit.digest("application", application.reference, "facts", json.loads(json.dumps(judged_by)))


def sign(session: Session, application: Application, stated: Stated, actor: Principal) -> Application:
    """Sign the verdict that the rules of the policy in force give: the application is eligible, or not, from now on.

    Raises Forbidden, also for who handed it in, and Conflict unless it is verified, or where the rules do not say what
    is `stated`: facts or policy have changed since it was shown.
    """
    lock(session, application)
    _read_anew(session, application)
    mark_decided(application, stated, policies.in_force(session), actor)
    audit.record(session, actor, Act.APPLICATION_DECIDE, application)
    return application


def mark_decided(
    application: Application, stated: Stated, in_force: tuple[PolicyVersion, Policy], actor: Principal
) -> None:
    """Sign the verdict on an application that was locked before its household was read, and record nothing.

    Raises as `sign` does.
    """
    require(actor, application.household.origin, Permission.APPLICATION_DECIDE)
    to = ApplicationState.ELIGIBLE if stated.eligible else ApplicationState.INELIGIBLE
    require_transition("application", TRANSITIONS, application.state, to)
    require_stranger(application, actor)
    found = verdict(application, *in_force)
    _require_same(found, stated)
    application.state = to
    application.decided_at, application.decided_by_id = utc_now(), actor.user_id
    application.decided_policy, application.facts_hash = found.policy, found.facts_hash
    application.ineligible_for = [reason.code.value for reason in found.reasons]


def _read_anew(session: Session, application: Application) -> None:
    """Read the household as it is now that its application is locked: who changes it has to wait for that lock."""
    session.scalars(
        select(Household)
        .where(Household.id == application.household_id)
        .options(
            joinedload(Household.origin).joinedload(Origin.settlement),
            joinedload(Household.kin_group),
            selectinload(Household.people),
        )
        .execution_options(populate_existing=True)
    ).one()


def _require_same(found: Verdict, stated: Stated) -> None:
    if found.eligible != stated.eligible:
        says = "eligible" if found.eligible else "not eligible"
        raise Conflict(f"The rules say that it is {says}. Read its eligibility, and decide anew.")
    if stated.policy not in (None, found.policy):
        raise Conflict(f"Another policy is in force by now: {found.policy}. Read its eligibility, and decide anew.")
    if stated.facts_hash not in (None, found.facts_hash):
        raise Conflict("The household has changed since you read its eligibility. Read it again, and decide anew.")
