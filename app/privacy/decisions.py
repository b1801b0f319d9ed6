"""What every run knew and said of a household, for the family itself."""

from collections.abc import Sequence
from json import JSONDecoder
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.allocation import queries
from app.allocation.models import Proposal
from app.allocation.runs import UNDECIDED
from app.housing.models import House
from app.privacy.schemas import DecisionHeld
from app.registry.models import Household

_decoder = JSONDecoder()


def of_households(session: Session, every: Sequence[Household]) -> list[DecisionHeld]:
    """Return what every run knew and said of the household; the snapshots name it by its reference."""
    proposals = {
        (each.run_id, each.household_id): each
        for each in session.scalars(
            select(Proposal)
            .where(Proposal.household_id.in_([each.id for each in every]))
            .options(
                joinedload(Proposal.settlement),
                joinedload(Proposal.house).joinedload(House.settlement),
            )
        )
    }
    found = []
    for run in queries.runs_naming(session, [each.reference for each in every]):
        for household in every:
            if f'"{household.reference}"' not in run.snapshot:
                continue
            said = None if run.state in UNDECIDED else proposals.get((run.id, household.id))
            found.append(
                DecisionHeld(
                    run=run.reference,
                    run_state=run.state,
                    requested_at=run.requested_at,
                    decided_at=run.decided_at,
                    policy=run.policy_version.name,
                    known=_known(run.snapshot, household.reference),
                    proposal=said.reference if said else None,
                    outcome=said.state if said else None,
                    settlement=said.settlement.name if said and said.settlement else None,
                    house=said.house.reference if said and said.house else None,
                    address=said.house.address if said and said.house else None,
                    reason=said.reason if said else None,
                    explanation=said.explanation if said else None,
                )
            )
    return found


def _known(snapshot: str, reference: str) -> dict[str, Any]:
    """Return what a snapshot says of a household: the innermost object with its reference, which alone is decoded.

    For the rest is of everybody else. The text has one spelling, canonical JSON, and nothing in it was written freely.
    """
    at = start = snapshot.find(f'"reference":"{reference}"')
    while (start := snapshot.rfind("{", 0, max(start, 0))) >= 0:
        part: dict[str, Any]
        part, end = _decoder.raw_decode(snapshot, start)
        if end > at:
            return part
    return {}
