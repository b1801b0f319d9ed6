"""Appeals in a simulated year: families lodge them, a worker calculates, and others decide, for the family or not."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import demo
from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation.corrections import Correction
from app.allocation.models import APPROVED, Proposal, ProposalState, Run
from app.allocation.offer_models import Offer
from app.allocation.what_if_models import WhatIf, WhatIfState
from app.answering import answer_one
from app.database import utc_now
from app.policy.facts import Accommodation
from app.registry import households
from app.registry.models import Application, ApplicationState, Household
from app.registry.queries import visible_application, visible_household
from app.tenancy import appeal_queries, appeals
from app.tenancy.appeal_models import AppealAgainst, AppealGround, AppealState
from app.tenancy.appeals import LOST
from benchmarks.year_acts import Year

SHARE_OF_REFUSED, SHARE_OF_ENDED = 0.5, 0.15
"""Of who was signed as ineligible, and of whose offer ended, in the last week."""
RUNS_APPEALED = 0.25
"""The share of the runs against which one family appeals for its priority; of as many one does for its place."""
UPHELD, WITHDRAWN = 0.4, 0.1
"""Shares of what becomes of them; the others are dismissed."""
DAYS_TO_LODGE, DAYS_TO_DECIDE = (1, 6), (3, 24)
GROUNDS = {
    AppealAgainst.INELIGIBILITY: AppealGround.FACTS_WRONG,
    AppealAgainst.PRIORITY: AppealGround.FACTS_CHANGED,
    AppealAgainst.PROPOSAL: AppealGround.FACTS_WRONG,
    AppealAgainst.OFFER: AppealGround.PROCEDURE,
}
SAID = {
    AppealAgainst.INELIGIBILITY: Correction(eligible=True),
    AppealAgainst.PRIORITY: Correction(accommodation=Accommodation.UNSAFE_BUILDING),
    AppealAgainst.PROPOSAL: Correction(accommodation=Accommodation.DORMITORY),
    AppealAgainst.OFFER: Correction(),
}
"""What a family says is otherwise."""


def foresee(year: Year) -> None:
    """Decide which families appeal against what they were told in the last week, and when."""
    for against, applications in _told(year, utc_now() - timedelta(days=7)):
        for application in applications:
            year.later(year.random.randint(*DAYS_TO_LODGE), partial(lodge, year, application, against))


def _told(year: Year, since: datetime) -> Iterable[tuple[AppealAgainst, list[str]]]:
    """Of each kind the applications of those who appeal, by reference."""
    refused = select(Application.reference).where(
        Application.state == ApplicationState.INELIGIBLE, Application.decided_at >= since
    )
    ended = (
        select(Application.reference)
        .join(Proposal, Proposal.application_id == Application.id)
        .join(Offer, Offer.proposal_id == Proposal.id)
        .where(Offer.state.in_(LOST), Offer.ended_at >= since)
    )
    not_housed = (
        select(Application.reference)
        .join(Proposal, Proposal.application_id == Application.id)
        .join(Run, Run.id == Proposal.run_id)
        .where(
            Run.state.in_(APPROVED),
            Run.decided_at >= since,
            Proposal.state == ProposalState.NOT_HOUSED,
            Application.state == ApplicationState.ELIGIBLE,
        )
    )
    chance = year.random.random
    with year.database.session(writes=False) as session:
        rows = [sorted(set(session.scalars(query))) for query in (refused, ended, not_housed)]
    yield AppealAgainst.INELIGIBILITY, [each for each in rows[0] if chance() < SHARE_OF_REFUSED]
    yield AppealAgainst.OFFER, [each for each in rows[1] if chance() < SHARE_OF_ENDED]
    for against in (AppealAgainst.PRIORITY, AppealAgainst.PROPOSAL):
        appeals_now = rows[2] and chance() < RUNS_APPEALED
        yield against, [year.random.choice(rows[2])] if appeals_now else []


def lodge(year: Year, application: str, against: AppealAgainst) -> None:
    """Have a family appeal, and a worker calculate what would have been; somebody decides some days later."""
    made: list[str] = []

    def act(session: Session) -> None:
        appeal = appeals.lodge(
            session,
            visible_application(session, OPERATOR, application),
            against=against,
            ground=GROUNDS[against],
            statement="It is not as it was said.",
            correction=SAID[against],
            zone=year.settings.zone,
            actor=year.actors[Role.CASEWORKER],
        )
        made.append(appeal.reference)

    year.attempt(f"appeals lodged, {against.value}", act)
    while (asked := answer_one(year.database, year.settings)) is not None:
        with year.database.session(writes=False) as session:
            state = session.scalars(select(WhatIf.state).where(WhatIf.reference == asked)).one()
        in_time = state is WhatIfState.DONE
        year.counts["appeals calculated" if in_time else "appeals not calculated in the time there is"] += 1
    for reference in made:
        chance = year.random.random()
        days = year.random.randint(*DAYS_TO_DECIDE)
        if chance >= 1 - WITHDRAWN:
            year.later(days, partial(withdraw, year, reference))
        else:
            year.later(days, partial(decide, year, reference, against, upheld=chance < UPHELD))


def decide(year: Year, reference: str, against: AppealAgainst, *, upheld: bool) -> None:
    """Have somebody decide who took no part; who was refused wrongly is checked anew the next day."""
    opened: list[str] = []

    def act(session: Session) -> None:
        judge = year.judges[appeals.DECIDED_WITH[against]]
        appeal = appeal_queries.appeal(session, judge, reference)
        appeals.decide(session, appeal, upheld=upheld, reason="It was looked at.", first_in_line=None, actor=judge)
        year.counts["families put first in line"] += appeal.gives_precedence
        if upheld and against is AppealAgainst.INELIGIBILITY:
            opened.append(appeal.household.reference)

    state = AppealState.UPHELD if upheld else AppealState.DISMISSED
    year.attempt(f"appeals {state.value}, {against.value}", act)
    for household in opened:
        year.later(1, partial(check_anew, year, household))


def withdraw(year: Year, reference: str) -> None:
    """Have a family take its appeal back."""

    def act(session: Session) -> None:
        appeals.withdraw(session, appeal_queries.appeal(session, OPERATOR, reference), year.actors[Role.CASEWORKER])

    year.attempt("appeals withdrawn", act)


def check_anew(year: Year, household: str) -> None:
    """Enter the consent that was there all the time, and have it verified and decided on."""
    with year.database.session(writes=True) as session:
        family = visible_household(session, OPERATOR, household)
        households.change(session, family, {"consent_on": utc_now().date()}, year.actors[Role.CASEWORKER])
    with year.database.session(writes=True) as session:
        demo.check_applications(session, year.actors[Role.VERIFIER])


def shown(session: Session) -> dict[str, dict[str, str]]:
    """Return what is otherwise in the register than in the files, by the sender's reference, as columns of these."""
    found = select(Household.key, Household.current_accommodation, Household.consent_on)
    return {
        key or "": {"current_accommodation": lives.value, "consent_on": "" if consent is None else str(consent)}
        for key, lives, consent in session.execute(found)
    }
