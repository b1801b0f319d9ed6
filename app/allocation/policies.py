"""Versions of the policy: drafted, put in force, superseded. A version never changes once drafted."""

import json

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import SERVICE, Permission, Principal
from app.allocation.models import PolicyState, PolicyVersion
from app.allocation.order import objectives, stages_of
from app.allocation.preview_models import PolicyPreview, PreviewState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.policy.parameters import DEFAULT_POLICY, Policy
from solver import Parameters

MOST_TIERS = 20


def get(session: Session, reference: str) -> PolicyVersion:
    """Return the version of that reference. Raises NotFound."""
    version = session.scalar(select(PolicyVersion).where(PolicyVersion.reference == reference))
    if version is None:
        raise NotFound("There is no such policy version.")
    return version


def in_force(session: Session) -> tuple[PolicyVersion, Policy]:
    """Return the version in force and the policy that it holds. Raises NotFound where none is in force yet."""
    version = session.scalar(select(PolicyVersion).where(PolicyVersion.state == PolicyState.IN_FORCE))
    if version is None:
        raise NotFound("No policy is in force yet. Draft one and put it in force.")
    return version, policy_of(version)


def policy_of(version: PolicyVersion) -> Policy:
    """Return the policy that a version holds."""
    return Policy.model_validate(version.document)


def is_any_in_force(session: Session) -> bool:
    """Whether a policy is in force, as after the first start."""
    return session.scalar(select(PolicyVersion.id).where(PolicyVersion.state == PolicyState.IN_FORCE)) is not None


def ensure_default(session: Session) -> None:
    """Put the default policy in force where none is, as at the first start."""
    if is_any_in_force(session):
        return
    version = _version(DEFAULT_POLICY, actor=None)
    version.state, version.in_force_at = PolicyState.IN_FORCE, utc_now()
    try:
        with session.begin_nested():
            session.add(version)
    except IntegrityError:
        # Another process put one in force at the same moment; any other constraint is a fault of ours.
        if not is_any_in_force(session):
            raise
        return
    audit.record(session, SERVICE, Act.POLICY_PUT_IN_FORCE, version)


def draft(session: Session, policy: Policy, actor: Principal) -> PolicyVersion:
    """Record a policy that is not in force yet. Raises Invalid where the solver cannot take its stages."""
    actor.require(Permission.POLICY_WRITE)
    try:
        Parameters(stages=objectives(stages_of(policy.stages, MOST_TIERS, keeps=True)))
    except ValueError as error:
        raise Invalid("The stages cannot be solved.", [FieldError("#/body/stages", str(error))]) from error
    version = _version(policy, actor)
    session.add(version)
    audit.record(session, actor, Act.POLICY_DRAFT, version)
    return version


def put_in_force(session: Session, version: PolicyVersion, actor: Principal) -> PolicyVersion:
    """Put a draft in force; the version in force until now is superseded.

    Raises Forbidden for who drafted it, Conflict where `version` is no draft, where nobody has previewed what it
    changes against the version in force, or where another was put in force at the same moment.
    """
    actor.require(Permission.POLICY_DECIDE)
    actor.require_another(version.created_by_id, "drafted this policy")
    session.refresh(version, ["state", "version"], with_for_update=True)
    if version.state is not PolicyState.DRAFT:
        raise Conflict(f"Policy {version.reference} is {version.state}; only a draft can be put in force.")
    superseded = session.scalar(
        select(PolicyVersion).where(PolicyVersion.state == PolicyState.IN_FORCE).with_for_update()
    )
    if superseded is not None:
        _require_preview(session, version, superseded)
        superseded.state = PolicyState.SUPERSEDED
        session.flush()  # before the next, so that the index of versions in force is never broken
    version.state, version.in_force_at = PolicyState.IN_FORCE, utc_now()
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("Another policy was put in force at the same moment. Read it, and decide anew.") from error
    audit.record(session, actor, Act.POLICY_PUT_IN_FORCE, version)
    return version


def _require_preview(session: Session, version: PolicyVersion, in_force: PolicyVersion) -> None:
    """Refuse unless somebody has seen who gains and who loses by exactly this, against what is in force now."""
    previewed = (
        select(PolicyPreview.id)
        .join(PolicyPreview.draft)
        .where(
            PolicyPreview.in_force_id == in_force.id,
            PolicyPreview.state == PreviewState.DONE,
            PolicyVersion.sha256 == version.sha256,
        )
        .limit(1)
    )
    if session.scalar(previewed) is None:
        raise Conflict(
            f"Nobody has previewed what policy {version.reference} changes against {in_force.reference}, which is in "
            f"force. Preview it first: POST /policies/{version.reference}/preview, or "
            f"`hearth policy preview {version.reference}`."
        )


def _version(policy: Policy, actor: Principal | None) -> PolicyVersion:
    return PolicyVersion(
        state=PolicyState.DRAFT,
        name=policy.name,
        document=json.loads(policy.canonical_json()),
        sha256=policy.sha256(),
        created_by_id=actor.user_id if actor else None,
    )
