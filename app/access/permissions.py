"""Who may do what: the whole policy of access, on one page.

A role is held everywhere, in one district or in one settlement (a grant). A permission counts only within the scope
of a grant whose role has it; `Principal.scope` says what that is. `INCOMPATIBLE` says which roles one person never
holds together, and `Principal.require_another` what nobody decides on their own.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from app.access.models import Role
from app.errors import Forbidden, SecondFactorNeeded

CASEWORKER, VERIFIER, PLANNER, APPROVER = Role.CASEWORKER, Role.VERIFIER, Role.PLANNER, Role.APPROVER
VILLAGE_ADMINISTRATOR, AUDITOR, ADMINISTRATOR = Role.VILLAGE_ADMINISTRATOR, Role.AUDITOR, Role.ADMINISTRATOR


class Permission(StrEnum):
    """An act, named thing.verb."""

    STOCK_READ = "stock.read"
    STOCK_WRITE = "stock.write"
    HOUSE_WRITE = "house.write"
    HOUSEHOLD_READ = "household.read"
    HOUSEHOLD_WRITE = "household.write"
    HOUSEHOLD_ERASE = "household.erase"
    SUBJECT_ACCESS_READ = "subject_access.read"
    APPLICATION_SUBMIT = "application.submit"
    APPLICATION_VERIFY = "application.verify"
    APPLICATION_DECIDE = "application.decide"
    DUPLICATE_READ = "duplicate.read"
    DUPLICATE_DECIDE = "duplicate.decide"
    CORRECTION_READ = "correction.read"
    DOCUMENT_READ = "document.read"
    HOUSEHOLD_BREAK_GLASS = "household.break_glass"
    BREAK_GLASS_REVIEW = "break_glass.review"
    EXCHANGE_IMPORT = "exchange.import"
    EXCHANGE_EXPORT = "exchange.export"
    POLICY_READ = "policy.read"
    POLICY_WRITE = "policy.write"
    POLICY_PREVIEW = "policy.preview"
    POLICY_DECIDE = "policy.decide"
    RUN_READ = "run.read"
    RUN_REQUEST = "run.request"
    RUN_DECIDE = "run.decide"
    PLACEMENT_READ = "placement.read"
    PLACEMENT_WRITE = "placement.write"
    PLACEMENT_DECIDE = "placement.decide"
    PROPOSAL_READ = "proposal.read"
    PROPOSAL_REVIEW = "proposal.review"
    OFFER_READ = "offer.read"
    OFFER_WRITE = "offer.write"
    OFFER_ANSWER = "offer.answer"
    APPEAL_READ = "appeal.read"
    APPEAL_LODGE = "appeal.lodge"
    APPEAL_DECIDE = "appeal.decide"
    APPEAL_DECIDE_CASE = "appeal.decide_case"
    APPEAL_DECIDE_ALLOCATION = "appeal.decide_allocation"
    TENANCY_READ = "tenancy.read"
    TENANCY_WRITE = "tenancy.write"
    OCCUPANCY_READ = "occupancy.read"
    SWAP_READ = "swap.read"
    SWAP_WRITE = "swap.write"
    SWAP_PROPOSE = "swap.propose"
    SWAP_DECIDE = "swap.decide"
    AUDIT_READ = "audit.read"
    USER_READ = "user.read"
    USER_WRITE = "user.write"


PERMISSIONS: dict[Permission, frozenset[Role]] = {
    # settlements, origins, milestones, land, jobs, houses: no personal data
    Permission.STOCK_READ: frozenset({CASEWORKER, VERIFIER, PLANNER, APPROVER, VILLAGE_ADMINISTRATOR, AUDITOR}),
    Permission.STOCK_WRITE: frozenset({PLANNER}),
    Permission.HOUSE_WRITE: frozenset({PLANNER, VILLAGE_ADMINISTRATOR}),
    # households, people, kin groups, applications
    Permission.HOUSEHOLD_READ: frozenset({CASEWORKER, VERIFIER, PLANNER, APPROVER, VILLAGE_ADMINISTRATOR}),
    Permission.HOUSEHOLD_WRITE: frozenset({CASEWORKER}),
    Permission.HOUSEHOLD_ERASE: frozenset({PLANNER}),
    # who sits with the family hands it out, and who answers for the register
    Permission.SUBJECT_ACCESS_READ: frozenset({CASEWORKER, PLANNER}),
    Permission.APPLICATION_SUBMIT: frozenset({CASEWORKER}),
    # never of what they began, submitted, corrected or imported themselves
    Permission.APPLICATION_VERIFY: frozenset({VERIFIER}),
    Permission.APPLICATION_DECIDE: frozenset({VERIFIER}),
    # households that may be registered twice; who submitted or corrected both decides on none
    Permission.DUPLICATE_READ: frozenset({CASEWORKER, VERIFIER, PLANNER}),
    Permission.DUPLICATE_DECIDE: frozenset({CASEWORKER, VERIFIER}),
    # evidence, and what was changed of an application: who takes it in, and who checks it
    Permission.CORRECTION_READ: frozenset({CASEWORKER, VERIFIER}),
    Permission.DOCUMENT_READ: frozenset({CASEWORKER, VERIFIER}),
    # one household beyond the scope, for a reason, reviewed by who reads none
    Permission.HOUSEHOLD_BREAK_GLASS: frozenset({CASEWORKER, VERIFIER}),
    Permission.BREAK_GLASS_REVIEW: frozenset({AUDITOR}),
    Permission.EXCHANGE_IMPORT: frozenset({PLANNER}),
    Permission.EXCHANGE_EXPORT: frozenset({PLANNER}),
    # deciding
    Permission.POLICY_READ: frozenset({CASEWORKER, VERIFIER, PLANNER, APPROVER, VILLAGE_ADMINISTRATOR, AUDITOR}),
    Permission.POLICY_WRITE: frozenset({PLANNER}),
    Permission.POLICY_PREVIEW: frozenset({PLANNER, APPROVER}),
    Permission.POLICY_DECIDE: frozenset({APPROVER}),
    Permission.RUN_READ: frozenset({PLANNER, APPROVER, AUDITOR}),
    Permission.RUN_REQUEST: frozenset({PLANNER}),
    Permission.RUN_DECIDE: frozenset({APPROVER}),
    # where one family is to live, or not, beside what the policy gives: asked for by one, confirmed by another
    Permission.PLACEMENT_READ: frozenset({PLANNER, APPROVER}),
    Permission.PLACEMENT_WRITE: frozenset({PLANNER}),
    Permission.PLACEMENT_DECIDE: frozenset({APPROVER}),
    Permission.PROPOSAL_READ: frozenset({CASEWORKER, VERIFIER, PLANNER, APPROVER}),
    # before the decision: who stands by families could promise them what is not decided
    Permission.PROPOSAL_REVIEW: frozenset({PLANNER, APPROVER}),
    # offering what was drawn, and what the family answers
    Permission.OFFER_READ: frozenset({CASEWORKER, PLANNER, APPROVER, VILLAGE_ADMINISTRATOR}),
    Permission.OFFER_WRITE: frozenset({PLANNER}),
    Permission.OFFER_ANSWER: frozenset({CASEWORKER}),
    # appeals: of the facts of a case, and of what was made of them; never by who took part (docs/decisions/0031)
    Permission.APPEAL_READ: frozenset({CASEWORKER, VERIFIER, PLANNER, APPROVER}),
    Permission.APPEAL_LODGE: frozenset({CASEWORKER}),
    Permission.APPEAL_DECIDE: frozenset({VERIFIER, APPROVER}),
    Permission.APPEAL_DECIDE_CASE: frozenset({VERIFIER}),
    Permission.APPEAL_DECIDE_ALLOCATION: frozenset({APPROVER}),
    # living there
    Permission.TENANCY_READ: frozenset({PLANNER, VILLAGE_ADMINISTRATOR}),
    Permission.TENANCY_WRITE: frozenset({VILLAGE_ADMINISTRATOR}),
    Permission.OCCUPANCY_READ: frozenset({PLANNER, APPROVER, VILLAGE_ADMINISTRATOR, AUDITOR}),
    # swapping houses
    Permission.SWAP_READ: frozenset({CASEWORKER, PLANNER, APPROVER, VILLAGE_ADMINISTRATOR}),
    Permission.SWAP_WRITE: frozenset({CASEWORKER}),
    Permission.SWAP_PROPOSE: frozenset({PLANNER}),
    Permission.SWAP_DECIDE: frozenset({APPROVER}),
    # who did what, and who looked: nothing personal in clear
    Permission.AUDIT_READ: frozenset({AUDITOR}),
    # users: an administrator sees no household
    Permission.USER_READ: frozenset({ADMINISTRATOR}),
    Permission.USER_WRITE: frozenset({ADMINISTRATOR}),
}


EVERYWHERE_ONLY = frozenset({ADMINISTRATOR})
"""Roles that lie in no district or settlement."""

# Authorising, recording, keeping the keys and checking are four people's work (docs/decisions/0011).
INCOMPATIBLE: dict[frozenset[Role], str] = {
    frozenset({APPROVER, CASEWORKER}): "who registers families does not approve who is housed",
    frozenset({APPROVER, VILLAGE_ADMINISTRATOR}): "who hands out the keys does not approve who gets them",
    **{
        frozenset(pair): "who checks what others did does nothing of it"
        if AUDITOR in pair
        else "who gives rights sees no household"
        for pair in combinations(Role, 2)
        if {AUDITOR, ADMINISTRATOR} & set(pair)
    },
}


PERSONAL_DATA = frozenset(
    {
        Permission.HOUSEHOLD_READ,
        Permission.DUPLICATE_READ,
        Permission.SUBJECT_ACCESS_READ,
        Permission.CORRECTION_READ,
        Permission.DOCUMENT_READ,
        Permission.PLACEMENT_READ,
        Permission.POLICY_PREVIEW,
        Permission.PROPOSAL_READ,
        Permission.OFFER_READ,
        Permission.APPEAL_READ,
        Permission.TENANCY_READ,
        Permission.SWAP_READ,
        Permission.EXCHANGE_EXPORT,
    }
)
"""What shows personal data: whoever reads with one of these leaves an entry in the audit trail."""


@dataclass(frozen=True)
class Scope:
    """Where a permission holds: everywhere, or in these districts and settlements (public references)."""

    everywhere: bool = False
    districts: frozenset[str] = frozenset()
    settlements: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.districts or self.settlements)

    def covers(self, *, district: str | None, settlement: str | None) -> bool:
        """Whether a place lies within: one in this district, or this settlement."""
        return self.everywhere or district in self.districts or settlement in self.settlements


EVERYWHERE = Scope(everywhere=True)


@dataclass(frozen=True)
class HeldRole:
    """A role and where it is held."""

    role: Role
    district: str | None = None
    settlement: str | None = None


@dataclass(frozen=True)
class Principal:
    """Who acts: a signed-in user, the operator at the service's own command line, or the service (`user_id` None).

    `token` is the public reference of the token or session that was used. `withheld` are roles that act once the user
    has signed in with a second factor. `limits` are what the token may be used for, where it says so.
    """

    user_id: int | None
    reference: str
    username: str
    roles: tuple[HeldRole, ...] = ()
    is_operator: bool = False
    token: str | None = None
    has_second_factor: bool = False
    withheld: tuple[HeldRole, ...] = ()
    limits: frozenset[Permission] | None = None
    is_use_due: bool = False
    """Whether it is time to note that the token or session was used."""

    def scope(self, permission: Permission) -> Scope:
        """Return where this principal has `permission`; an empty scope is false."""
        if self.is_operator:
            return EVERYWHERE
        if self.limits is not None and permission not in self.limits:
            return Scope()
        held = [role for role in self.roles if role.role in PERMISSIONS[permission]]
        return Scope(
            everywhere=any(role.district is None and role.settlement is None for role in held),
            districts=frozenset(role.district for role in held if role.district is not None),
            settlements=frozenset(role.settlement for role in held if role.settlement is not None),
        )

    def require(self, permission: Permission, *, district: str | None = None, settlement: str | None = None) -> None:
        """Raise Forbidden unless `permission` holds in that place (or everywhere, when no place is named)."""
        scope = self.scope(permission)
        if scope.covers(district=district, settlement=settlement):
            return
        self.require_somewhere(permission)
        places = ", ".join(sorted(scope.districts | scope.settlements))
        raise Forbidden(f"You have the permission {permission.value} only in {places}, and this does not lie there.")

    def require_somewhere(self, permission: Permission) -> None:
        """Raise Forbidden unless `permission` holds anywhere; SecondFactorNeeded where that is all that lacks."""
        if self.scope(permission):
            return
        if any(role.role in PERMISSIONS[permission] for role in self.withheld):
            raise SecondFactorNeeded(
                f"This needs the permission {permission.value}. Your role gives it once you sign in with a `code`; "
                "POST /api/v1/me/second-factor begins with one."
            )
        if self.limits is not None and permission not in self.limits:
            raise Forbidden(f"This needs the permission {permission.value}, for which your token was not made.")
        raise Forbidden(f"This needs the permission {permission.value}, which none of your roles gives.")

    def require_whole(self) -> None:
        """Raise Forbidden for a token made for some permissions only: it does not manage its user's access."""
        if self.limits is not None:
            raise Forbidden("Your token was made for some acts, and this is none of them. Sign in for this.")

    def require_another(self, user_id: int | None, did: str) -> None:
        """Raise Forbidden where this principal is the user (None: the operator) who `did` what is to be decided."""
        if user_id == self.user_id:
            raise Forbidden(f"{self.username} {did}: somebody else has to decide on it.")


OPERATOR = Principal(None, "operator", "operator", is_operator=True)
SERVICE = Principal(None, "service", "service")
"""The service itself: what its workers do, and what it sets up at the first start."""
