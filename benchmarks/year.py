"""A year on a district: families and houses come, families answer as families do, gates close, and runs every week.

    python -m benchmarks.year FOLDER [--seed N] [--json FILE]

FOLDER holds files as `hearth export` writes them. The year starts with half of the families and a third of the houses;
the others come until week 40, and the last weeks are for what is under way. Families accept, decline for a reason,
stay silent or withdraw; land is suspected anew, a settlement is suspended, those that were not ready open. Every week
has a run, approved and offered by others than who requested it. Families appeal, against all that can be appealed
against; what would have been is calculated, and others decide, for some of them. All of it goes through the operations
that the service uses, at the simulated moment.

After every week each house, family and application is counted (benchmarks/year_checks.py). At the end the audit trail
is verified, its states are held against the register, and the families housed are compared with what one run would
house that knew, on the first day, every family and house of the year.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import structlog
import time_machine
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from app import migration
from app.allocation.models import Proposal, ProposalState
from app.allocation.offer_models import Offer, OfferState
from app.audit.models import AuditEntry
from app.audit.verification import Verification
from app.database import Database
from app.housing.models import House, Settlement, SettlementStatus
from app.housing.readiness import ready_settlements
from app.policy.offers import OfferRules
from app.registry.models import Application, ApplicationState, Household
from app.settings import Settings
from app.tenancy.models import Tenancy
from benchmarks import year_acts, year_appeals, year_checks
from benchmarks.year_acts import FIRST_DAY, Year
from benchmarks.year_files import District

WEEKS, LAST_ARRIVALS = 52, 40
DAYS_TO_END = 60
"""After the year, without runs, until what is under way has ended."""
SUSPECTED, SUSPENDED, OPENS = (12, 16), (26, 29), 20
"""Weeks: land is suspected and released again; a settlement is suspended and open again; the others open."""
AGAIN_EVERY = 4
"""In every so many weeks' run, offers that nobody has answered may move."""


@contextmanager
def beginning(folder: Path, seed: int) -> Iterator[Year]:
    """A register without anything in it, on the first day, with its users."""
    settings = Settings(data_dir=folder, database_url="")
    database = Database(settings.url)
    with time_machine.travel(FIRST_DAY, tick=True) as travel:
        migration.upgrade(database)
        year = Year(database, settings, Random(seed), travel)
        year_acts.appoint(year)
        yield year
    database.dispose()


def simulate(district: District, year: Year, work: Path) -> Iterator[str]:
    """Let the year pass. Yields what is wrong after each week."""
    settlements: list[str] = []
    for week in range(WEEKS + 1):
        if week == 0:
            year_acts.register(year, district.start(work))
            with year.database.session(writes=False) as session:
                settlements = [each.key or "" for each in ready_settlements(session)]
        elif (arrivals := district.arrivals(work, week)) is not None:
            year_acts.register(year, arrivals)
        if week:
            year_acts.hand_over(year, district.handed_over.get(week, []))
        if week in SUSPECTED:
            year_acts.set_land(year, settlements[0], suspected=week == SUSPECTED[0])
        if week in SUSPENDED:
            status = SettlementStatus.SUSPENDED if week == SUSPENDED[0] else SettlementStatus.OPEN
            year_acts.set_status(year, settlements[-1], status)
        if week == OPENS:
            open_everything(year)
        if week < WEEKS:
            year_acts.allocate(year, move_issued=week % AGAIN_EVERY == AGAIN_EVERY - 1)
        year_appeals.foresee(year)
        for _ in range(7 if week < WEEKS else DAYS_TO_END):
            year.pass_day()
        with year.database.session(writes=False) as session:
            for fault in year_checks.faults(session, year.counts["families registered"]):
                yield f"week {week}: {fault}"


def open_everything(year: Year) -> None:
    """Open the settlements that are not ready: land, milestones and all."""
    with year.database.session(writes=False) as session:
        ready = {each.id for each in ready_settlements(session)}
        closed = [each.key or "" for each in session.scalars(select(Settlement)) if each.id not in ready]
    for key in closed:
        year_acts.set_land(year, key, suspected=False)
        year_acts.set_status(year, key, SettlementStatus.OPEN)


@dataclass(frozen=True)
class Known:
    """What the year has shown of its families, by the senders' references.

    Who withdrew, who will not go where, and what of the files was otherwise, as columns of these.
    """

    withdrew: set[str]
    declined: set[tuple[str, str]]
    otherwise: dict[str, dict[str, str]]


def known_of(year: Year) -> Known:
    """Return what the year has shown of its families, but for those it housed after all."""
    withdrew = (
        select(Household.key)
        .join(Application, Application.household_id == Household.id)
        .where(Application.state == ApplicationState.WITHDRAWN)
    )
    declined = (
        select(Household.key, Settlement.key)
        .join(Offer, Offer.household_id == Household.id)
        .join(House, House.id == Offer.house_id)
        .join(Settlement, Settlement.id == House.settlement_id)
        .where(Offer.state == OfferState.DECLINED, Offer.decline_reason.in_(OfferRules().not_again))
    )
    with year.database.session(writes=False) as session:
        return Known(
            {key or "" for key in session.scalars(withdrew)},
            {(key or "", settlement or "") for key, settlement in session.execute(declined)},
            year_appeals.shown(session),
        )


def housed(year: Year) -> dict[str, int]:
    """Return the tiers of those who have a home or have accepted one, by the sender's reference."""
    has_home = select(Tenancy.household_id).where(Tenancy.moved_out_on.is_(None))
    accepted = select(Proposal.household_id).where(Proposal.state == ProposalState.RESERVED, Proposal.is_firm)
    query = (
        select(Household.key, func.max(Proposal.tier))
        .join(Proposal, Proposal.household_id == Household.id)
        .where(Household.id.in_(has_home.union(accepted)))
        .group_by(Household.key)
    )
    with year.database.session(writes=False) as session:
        return {key or "": tier or 0 for key, tier in session.execute(query)}


def with_hindsight(district: District, seed: int, work: Path, known: Known) -> dict[str, int]:
    """Return the tiers of those whom one run houses that knows of the whole year, its families' refusals too."""
    with tempfile.TemporaryDirectory() as folder, beginning(Path(folder), seed) as year:
        year.travel.move_to(FIRST_DAY + timedelta(weeks=WEEKS))
        # Kin of a family that would not go there live there without it, as in the year.
        alone = {key for key, _settlement in known.declined}
        year_acts.register(year, district.start(work, True, alone, known.otherwise))
        open_everything(year)
        with year.database.session(writes=False) as session:
            leaving = session.scalars(select(Household.id).where(Household.key.in_(known.withdrew))).all()
        for household in leaving:
            year_acts.withdraw(year, household)
        for key, settlement in sorted(known.declined):
            year_acts.forbid(year, key, settlement)
        year_acts.propose(year)
        query = select(Household.key, Proposal.tier).join(Proposal.household)
        with year.database.session(writes=False) as session:
            placed = session.execute(query.where(Proposal.state == ProposalState.PROPOSED))
            return {key or "": tier or 0 for key, tier in placed}


def measure(folder: Path, seed: int) -> dict[str, Any]:
    """Simulate a year and return its figures and whatever was wrong."""
    district = District(folder, LAST_ARRIVALS, Random(seed))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as work:
        with beginning(Path(data), seed) as year:
            faults = list(simulate(district, year, Path(work)))
            with year.database.session(writes=False) as session:
                faults += year_checks.untold(session)
                faults += year_checks.appeals(session)
                faults += [fault.sentence for fault in Verification(session).faults()]
                entries = session.scalar(select(func.count()).select_from(AuditEntry)) or 0
                moved = year_checks.offers_moved(session)
                going_on = session.scalars(select(Offer.reference).where(Offer.ended_at.is_(None))).all()
                faults += [f"offer {reference} goes on after the year" for reference in going_on]
            known, mine = known_of(year), housed(year)
            counts = dict(year.counts) | {f"offers that could move, {name}": number for name, number in moved.items()}
            solving = year.solving_seconds
        hindsight = with_hindsight(district, seed, Path(work), known)
    tiers = sorted({*mine.values(), *hindsight.values()})
    return {
        "folder": folder.name,
        "seed": seed,
        "counts": counts,
        "audit_entries": entries,
        "solving_seconds": {"median": median(solving), "slowest": max(solving)},
        "housed": {str(tier): list(mine.values()).count(tier) for tier in tiers},
        "with_hindsight": {str(tier): list(hindsight.values()).count(tier) for tier in tiers},
        "share": len(mine) / len(hindsight),
        "faults": faults,
        "seconds": time.perf_counter() - started,
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    out = Console(highlight=False, soft_wrap=True)
    events = Table("in the year", title=f"{figures['folder']}, seed {figures['seed']}, {figures['seconds']:.0f} s")
    events.add_column("times", justify="right")
    for name, number in sorted(figures["counts"].items()):
        events.add_row(name, f"{number:,}")
    events.add_row("entries of the audit trail", f"{figures['audit_entries']:,}")
    homes = Table("families housed", "in the year", "with hindsight")
    for tier, number in figures["housed"].items():
        homes.add_row(f"tier {tier}", f"{number:,}", f"{figures['with_hindsight'][tier]:,}")
    homes.add_row("all", f"{sum(figures['housed'].values()):,}", f"{sum(figures['with_hindsight'].values()):,}")
    out.print(events, homes)
    solving = figures["solving_seconds"]
    out.print(
        f"{figures['share']:.1%} of hindsight; a run {solving['median']:.1f} s, at most {solving['slowest']:.1f} s"
    )
    out.print("Nothing was wrong." if not figures["faults"] else "\n".join(figures["faults"][:50]), markup=False)


def main() -> None:
    """Simulate one year, and end with 1 where a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures = measure(options.folder, options.seed)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    if figures["faults"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
