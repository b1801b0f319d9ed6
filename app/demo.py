"""The demonstration: a fictional district, five people who sign in, and one allocation, by three of them."""

import json
import os
import secrets
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import console
from app.access import passwords, tokens, users
from app.access.models import Role, User
from app.access.permissions import OPERATOR, HeldRole, Principal
from app.allocation import queries, runs
from app.allocation.models import Run, RunState
from app.allocation.offer_models import GivenHow, Offer
from app.database import Database, utc_now
from app.errors import Conflict
from app.exchange import demo, imports
from app.housing.models import Settlement
from app.housing.readiness import ready_settlements
from app.settings import Settings
from app.tenancy import answers, moves, offer_queries, offers
from app.verification import bulk
from app.verification.bulk import Selection

SEED = 20260901
ANSWERS, MOVES = 10, 3
"""Offers that are accepted, and families of these that move in."""
SIGN_INS = "sign-ins.json"


def prepare(database: Database, settings: Settings) -> None:
    """Bring the demonstration to where a visitor can look around, whatever part of it is there already."""
    path = settings.data_dir / SIGN_INS
    with database.session(writes=True) as session:
        empty = session.scalar(select(Settlement.id).limit(1)) is None
        if not empty and not path.exists():
            raise Conflict(
                "This database holds a register that is no demonstration, and the demonstration would add users to it. "
                "Start the service with `hearth serve`, or set HEARTH_DATA_DIR to another folder."
            )
        if empty:
            _write(path, {})
            console.say("Making a fictional district …")
            console.show_import(imports.run(session, demo.district(SEED), actor=OPERATOR))
    with database.session(writes=True) as session:
        sign_ins = _sign_ins(session, path)
    reference = _own_run(database)
    if reference is None:
        with database.session(writes=True) as session:
            check_applications(session, _acting(session, "verifier"))
        with database.session(writes=True) as session:
            run = runs.request(
                session,
                settlements=None,
                time_limit_seconds=settings.solver_time_limit_seconds,
                actor=_acting(session, "planner"),
            )
        reference = run.reference
    console.follow(database, settings, reference)
    with database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, reference)
        if run.state is RunState.PROPOSED:
            runs.approve(session, run, _acting(session, "approver"))
    with database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, reference)
        if run.state is RunState.DRAWN:
            offers.issue(session, run, settings.zone, _acting(session, "planner"))
            _answer(session, run, settings)
    with database.session(writes=False) as session:
        console.show_run(session, queries.run(session, OPERATOR, reference))
    console.show_sign_ins(settings, sign_ins)


def _answer(session: Session, run: Run, settings: Settings) -> None:
    """Have the first families of `run`, whose offers are new, take their houses, and the first of these move in."""
    today = utc_now().astimezone(settings.zone).date()
    of_run = offer_queries.offers(OPERATOR).where(Offer.run_id == run.id)
    for number, offer in enumerate(session.scalars(of_run.order_by(Offer.id).limit(ANSWERS))):
        answers.accept(
            session,
            offer,
            answered_on=today,
            given_how=GivenHow.IN_PERSON,
            zone=settings.zone,
            actor=_acting(session, "caseworker"),
        )
        if number < MOVES:
            moves.move_in(session, offer.house, offer.household.reference, today, OPERATOR)


def check_applications(session: Session, verifier: Principal) -> None:
    """Have every application verified, and decided as the rules say: by somebody else than who imported them."""
    everything = Selection()
    for act in (
        lambda chosen: bulk.verify(session, chosen, verifier),
        lambda chosen: bulk.decide(session, chosen, eligible=True, actor=verifier),
        lambda chosen: bulk.decide(session, chosen, eligible=False, actor=verifier),
    ):
        for _ in bulk.every(act, everything):
            pass


def _acting(session: Session, username: str) -> Principal:
    """Return a user of the demonstration as one who acts; the operator, where a visitor ended that user's access."""
    user = tokens.user_named(session, username)
    return OPERATOR if user is None or user.disabled_at is not None else tokens.principal_of(user)


def _own_run(database: Database) -> str | None:
    """Return the run of the demonstration: the first, for it is there before anybody can sign in.

    Later ones are visitors', and theirs to decide.
    """
    with database.session(writes=False) as session:
        gone = (RunState.FAILED, RunState.CANCELLED, RunState.REJECTED)
        return session.scalar(select(Run.reference).where(Run.state.not_in(gone)).order_by(Run.id).limit(1))


def _sign_ins(session: Session, path: Path) -> list[tuple[str, str, str]]:
    """Return (username, password, token) of the five users, added at the first start.

    The passwords are made here and kept in a file that only its owner reads; a password that was changed since, or
    a file that was lost, leaves the password empty.
    """
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    village = next(iter(ready_settlements(session)), None)
    shown = []
    for username, role in (
        ("caseworker", Role.CASEWORKER),
        ("verifier", Role.VERIFIER),
        ("planner", Role.PLANNER),
        ("approver", Role.APPROVER),
        ("village", Role.VILLAGE_ADMINISTRATOR),
    ):
        if session.scalar(select(User.id).where(User.username == username)) is None:
            kept[username] = secrets.token_urlsafe(12)
            place = village.reference if role is Role.VILLAGE_ADMINISTRATOR and village else None
            users.add(
                session,
                username=username,
                display_name=username.capitalize(),
                password_hash=passwords.hashed(kept[username]),  # nobody waits for this transaction yet
                roles=[HeldRole(role, settlement=place)],
                actor=OPERATOR,
            )
        user = tokens.user_named(session, username)
        if user is not None and user.disabled_at is None:
            token = tokens.issue(session, user, timedelta(days=1))[1]
            shown.append((username, kept.get(username, ""), token))
    _write(path, kept)
    return shown


def _write(path: Path, kept: dict[str, str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(kept, file)
