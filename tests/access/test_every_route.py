"""Every operation, asked by every role in every scope about things that are there, answers as `routes` says."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from starlette.routing import Route

from app.access import passwords, tokens, users
from app.access.models import Grant, Role
from app.access.permissions import INCOMPATIBLE, OPERATOR, PERMISSIONS, HeldRole, Permission, Principal
from app.allocation import policies
from app.database import Database, utc_now
from app.documents.store import Store
from app.housing.models import HouseState
from app.main import create_app
from app.policy.parameters import DEFAULT_POLICY
from app.registry.models import ApplicationState
from app.settings import Settings
from app.tenancy.appeal_models import AppealAgainst
from tests import appealing, factories
from tests.access.routes import ANYBODY, BODIES, GONE, HIDDEN, NOBODY_SIGNED_IN, ROWS, Answer, Row
from tests.allocation.conftest import proposed, request
from tests.exchange.village import VILLAGE
from tests.tenancy import living

HERE, BEYOND = "North", "South"
SCOPES = ("everywhere", "district", "settlement", "another district", "another settlement")
OF_DISTRICT = ("settlement", "to_queue", "to_propose", "to_await")
OUTSIDE_THE_DOCUMENT = {"/docs", "/openapi.json", "/problems/{kind}"}
SETTINGS = Settings(worker="separate", log_level="error", solver_threads=1)
UNKNOWN = "XX-00000000"
WIDE_AND_NARROW = [
    (wide, narrow) for wide, narrow in permutations(Role, 2) if frozenset({wide, narrow}) not in INCOMPATIBLE
]
"""A role held everywhere, and one held in another settlement by the same user."""


@dataclass(frozen=True)
class Thing:
    """A reference, and the version to send as If-Match."""

    reference: str
    version: int = 1


Place = dict[str, Thing]


DOCUMENTS = Store.under(SETTINGS.data_dir).folder


@dataclass(frozen=True)
class World:
    """The service over a district with everything in it and one with the same again; who asks holds a role in one.

    `mixed` are tokens of those who hold one role everywhere and another one in another settlement, `limited` those made
    for one permission of a role alone. `permissions` are those that operations name.
    """

    client: TestClient
    database: Database
    saved: Path
    places: Mapping[str, Place]
    tokens: Mapping[tuple[Role, str], str]
    mixed: Mapping[tuple[Role, Role], str]
    limited: Mapping[tuple[Role, Permission], str]
    operations: Mapping[str, tuple[str, str]]
    permissions: Mapping[str, Permission]

    def restore(self) -> None:
        """Undo whatever was changed."""
        self.database.dispose()
        shutil.copyfile(self.saved, str(self.database.url.database))
        shutil.copytree(self.saved.parent / DOCUMENTS.name, DOCUMENTS, dirs_exist_ok=True)


def _place(session: Session, district: str) -> dict[str, Any]:
    main, queue, propose, await_seed = (
        factories.settlement(session, f"{district} {n}", district=district) for n in range(4)
    )
    application = factories.applicant(session, main, place=main, children=1, kin_group=factories.kin_group(session))
    household = application.household
    beginner = factories.household(session, place=main)
    draft = factories.application(session, beginner, [main], state=ApplicationState.DRAFT, submitted_at=None)
    house, reserved, lived_in, unfit, offered = (factories.house(session, main, bedrooms=2) for _ in range(5))
    unfit.state, unfit.unfit_reason = HouseState.UNFIT, "No roof."
    reservation = factories.accepted(session, reserved)
    offer = factories.offer(session, factories.reservation(session, offered))
    tenant = factories.tenancy(session, lived_in)
    living.occupancy_check(session, tenant)
    title = living.joint_tenancy(session, factories.house(session, main, bedrooms=2))
    swap, agreed = (living.swap_cycle(session, main, confirmed=confirmed) for confirmed in (False, True))
    wish = living.swap_wish(session, factories.tenancy(session, factories.house(session, main)), lived_in)
    for place in (queue, propose, await_seed):
        factories.house(session, place, bedrooms=2)
    return {
        "settlement": main,
        "to_queue": queue,
        "to_propose": propose,
        "to_await": await_seed,
        "origin": household.origin,
        "household": household,
        "person": household.people[1],
        "kin_group": household.kin_group,
        "application": application,
        "draft": draft,
        "submitted": factories.submitted(session, main, place=main),
        "verified": factories.verified(session, main, place=main),
        "document": factories.document(session, draft),
        "newcomer": factories.household(session, place=main),
        "house": house,
        "reserved": reserved,
        "expected": reservation.household,
        "lived_in": lived_in,
        "unfit": unfit,
        "placement": factories.placement(session, factories.household(session, place=main), main),
        "area": factories.land_release_area(session, main),
        "tenant": tenant.household,
        "title": title,
        "spouse": title.household.people[1],
        "child": title.household.people[2],
        "wish": wish,
        "swap": swap,
        "swapping": swap.moves[0].wish.household,
        "agreed": agreed,
        "drawn": reservation.run,
        "offered": offer,
        "decided": reservation.application,
        "appeal": appealing.appeal(session, application),
        "run_appeal": appealing.appeal(session, offer.proposal.application, against=AppealAgainst.OFFER),
        "declined": living.declined_offer(session, factories.house(session, main)),
        "grant": factories.break_glass_grant(session, household),
        "candidate": factories.duplicate_candidate(session, main),
        "merge": factories.merge(session, main),
        "housed": factories.applicant(session, propose, place=propose).household,
    }


def _shared(session: Session, planner: Principal) -> dict[str, Any]:
    """What lies in no district, and who can sign in with a password."""
    for username in ("leyla", "omar"):
        users.add(
            session,
            username=username,
            display_name=username,
            password_hash=passwords.hashed(BODIES["sign_in"]["password"]),
            roles=[HeldRole(Role.VERIFIER)],
            actor=OPERATOR,
        )
    disabled = users.get(session, factories.user(session, Role.VERIFIER).reference)
    disabled.disabled_at = utc_now()
    session.flush()
    return {
        "user": tokens.user_named(session, "omar"),
        "disabled_user": disabled,
        "policy": factories.previewed(session, policies.draft(session, DEFAULT_POLICY, planner)),
        "preview": factories.preview(session),
    }


def _things(place: Mapping[str, Any]) -> dict[str, Thing]:
    """Name what there is; a person goes by the version of the household."""
    rows = {name: place["household"] if name == "person" else row for name, row in place.items()}
    return {name: Thing(row.reference, getattr(rows[name], "version", 1)) for name, row in place.items()}


def _grants(role: Role, scope: str, places: Mapping[str, Place]) -> list[Grant]:
    district = BEYOND if scope.startswith("another") else HERE
    if scope == "everywhere":
        return [Grant(role=role)]
    if scope.endswith("district"):
        return [Grant(role=role, district=district)]
    return [Grant(role=role, settlement=places[district][name].reference) for name in OF_DISTRICT]


def _holder(session: Session, grants: list[Grant]) -> str:
    """Add a user with `grants`, and return a token."""
    user = users.get(session, factories.user(session).reference)
    user.grants = grants
    return tokens.issue(session, user, timedelta(hours=1))[1]


def _limited(session: Session, role: Role, permission: Permission) -> str:
    """Add a user with `role` everywhere, and return a token made for one permission."""
    holder = factories.user(session, role)
    user = users.get(session, holder.reference)
    return tokens.issue_named(session, user, "Report", [permission], timedelta(hours=1), holder)[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[World]:
    """Two districts, and a user for every role and scope."""
    folder = tmp_path_factory.mktemp("routes")
    path, saved = folder / "hearth.db", folder / "saved.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        planner = factories.user(session, Role.PLANNER)
        shared = _shared(session, planner)
        places = {district: _things(_place(session, district) | shared) for district in (HERE, BEYOND)}
        held = {(role, scope): _holder(session, _grants(role, scope, places)) for role in Role for scope in SCOPES}
        mixed = {
            (wide, narrow): _holder(session, [Grant(role=wide), *_grants(narrow, "another settlement", places)])
            for wide, narrow in WIDE_AND_NARROW
        }
        limited = {
            (role, permission): _limited(session, role, permission)
            for permission, having in PERMISSIONS.items()
            for role in having
        }
    awaiting = partial(request, seed_source="Ball draw")
    for name, settlement, take in (
        ("proposed", "to_propose", proposed),
        ("queued", "to_queue", request),
        ("awaiting", "to_await", awaiting),
    ):
        for place in places.values():
            place[name] = Thing(take(database, settlements=[place[settlement].reference], actor=planner))
    database.dispose()
    shutil.copyfile(path, saved)
    shutil.copytree(DOCUMENTS, folder / DOCUMENTS.name)
    app = create_app(SETTINGS, database)
    with TestClient(app) as client:
        yield World(
            client,
            database,
            saved,
            places,
            held,
            mixed,
            limited,
            _operations(app.openapi()),
            _permissions(app.openapi()),
        )
    database.dispose()


def _operations(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def _permissions(document: dict[str, Any]) -> dict[str, Permission]:
    """Return operation → the permission that its security requirement names, of those that need one."""
    return {
        operation["operationId"]: Permission(scope)
        for item in document["paths"].values()
        for operation in item.values()
        for scope in {each for way in operation.get("security", ()) for scopes in way.values() for each in scopes}
    }


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """Replace `{name}` in every text of a body."""
    if isinstance(value, dict):
        return {key: _filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, names) for each in value]
    return value.format(**names) if isinstance(value, str) else value


def _ask(world: World, row: Row, token: str | None, *, unknown: bool = False) -> httpx2.Response:
    """Send the row's request about the thing here, or about nothing that is there."""
    method, path = world.operations[row.operation]
    place = world.places[HERE]
    names = {name: UNKNOWN if unknown else thing.reference for name, thing in place.items()} | {"district": HERE}
    thing = place.get(row.on, Thing(UNKNOWN))
    path = path.format(reference=names.get(row.on, UNKNOWN), name="school")
    content: dict[str, Any] = {}
    if row.operation == "import_files":
        content = {"files": [("files", each) for each in VILLAGE.items()]}
    elif row.operation == "add_document":
        content = {"files": {"file": ("a.pdf", b"%PDF-1.7")}, "data": {"kind": "identity"}}
    elif row.operation == "draft_policy":
        content = {"json": DEFAULT_POLICY.model_dump(mode="json")}
    elif row.operation in BODIES:
        content = {"json": _filled(BODIES[row.operation], names)}
    headers = {"If-Match": f'"{thing.version}"'} | ({"Authorization": f"Bearer {token}"} if token else {})
    return world.client.request(method, path, headers=headers, **content)


def _expected(row: Row, role: Role, scope: str) -> Answer:
    if row.roles not in (ANYBODY, NOBODY_SIGNED_IN) and role not in row.roles.split():
        return 403
    if scope.startswith("another"):
        return row.elsewhere
    if scope == "settlement" and row.settlement is not None:
        return row.settlement
    return row.everywhere if scope == "everywhere" else row.district


def _anonymous(problem: str) -> str:
    """Return a problem document without the reference that was asked about."""
    return re.sub(r"[A-Z]{2,3}-[0-9A-Z]{8}", UNKNOWN, problem)


def _fault(world: World, row: Row, role: Role, scope: str) -> str | None:
    """Return what is wrong with the answer to `role` held in `scope`, if anything."""
    expected, token = _expected(row, role, scope), world.tokens[role, scope]
    answer = _ask(world, row, token)
    changed = answer.is_success and world.operations[row.operation][0] != "GET"
    if changed:
        world.restore()
    where = f"{row.name} as {role} held {scope}: {answer.status_code}, expected {expected}. {answer.text[:200]}"
    if expected == GONE:
        nothing = _ask(world, row, token, unknown=True)
        same = (answer.status_code, _anonymous(answer.text)) == (nothing.status_code, _anonymous(nothing.text))
        return None if same and answer.status_code in (404, 422) else where
    if expected == HIDDEN:
        return None if answer.status_code == 200 and not _shows(world, row, answer) else where
    if answer.status_code != expected:
        return where
    if answer.is_success and row.elsewhere == HIDDEN and not _shows(world, row, answer):
        return f"not listed: {where}"
    return None


def _shows(world: World, row: Row, answer: httpx2.Response) -> bool:
    return world.places[HERE][row.shows or row.on].reference in answer.text


def _rows(role: Role) -> list[Row]:
    """Return the rows about `role`: of two about the same thing, the one that names it, or the first."""
    found: dict[str, Row] = {}
    for row in ROWS:
        if row.name not in found or role in row.roles.split():
            found[row.name] = row
    return list(found.values())


def test_every_operation_has_a_row(openapi_document: dict[str, Any]) -> None:
    """A new operation needs its expected answers in `routes.ROWS`, and what it takes in `routes.BODIES`."""
    assert {row.operation for row in ROWS} == set(_operations(openapi_document))
    assert set(BODIES) <= {row.operation for row in ROWS}
    named = {role for row in ROWS if row.roles not in (ANYBODY, NOBODY_SIGNED_IN) for role in row.roles.split()}
    assert named == set(Role)


def test_what_is_not_in_the_document_is_known(world: World) -> None:
    documented = {path for _method, path in world.operations.values()}
    paths = {route.path for route in world.client.app.routes if isinstance(route, Route)}  # type: ignore[attr-defined]
    assert paths - documented == OUTSIDE_THE_DOCUMENT


@pytest.mark.parametrize("role", Role)
def test_a_role_is_answered_as_the_table_says(world: World, role: Role) -> None:
    cells = [(row, scope) for row in _rows(role) for scope in SCOPES]
    faults = [fault for row, scope in cells if (fault := _fault(world, row, role, scope))]
    assert faults == [], "\n".join(faults)
    assert len(cells) == len({row.name for row in ROWS}) * len(SCOPES)
    print(f"{len(cells)} answers to {role} are right")


@pytest.mark.parametrize(("wide", "narrow"), WIDE_AND_NARROW)
def test_a_permission_counts_only_where_its_own_role_is_held(world: World, wide: Role, narrow: Role) -> None:
    """What one role may do elsewhere it may not do here, however much another role of the same user sees here."""
    token, of_wide = world.mixed[wide, narrow], {row.name for row in ROWS if wide in row.roles.split()}
    for row in _rows(narrow):
        if narrow not in row.roles.split() or row.name in of_wide or row.elsewhere not in (GONE, HIDDEN):
            continue
        answer = _ask(world, row, token)
        where = f"{row.name}: {answer.status_code} {answer.text[:200]}"
        if row.elsewhere == GONE:
            assert answer.status_code in (403, 404, 422), where
        else:
            assert not _shows(world, row, answer), where
        if answer.is_success:
            world.restore()


ALSO_NEEDED = re.compile(r"This needs the permission ([a-z_.]+), for which your token was not made\.")


@pytest.mark.parametrize("role", Role)
def test_a_token_for_one_permission_does_its_act_or_is_told_what_else_that_takes(world: World, role: Role) -> None:
    """What only reads takes nothing else, but a letter about an appeal, which says what was decided of the case.

    A run that nobody has decided on is not there for who reads what was decided.
    """
    for row in _rows(role):
        permission = world.permissions.get(row.operation)
        if permission is None or role not in row.roles.split():
            continue
        answer = _ask(world, row, world.limited[role, permission])
        where = f"{row.name} for {permission.value}: {answer.status_code} {answer.text[:200]}"
        only_reads = world.operations[row.operation][0] == "GET" and row.operation != "read_appeal_letter"
        needed = None if only_reads else ALSO_NEEDED.search(answer.text)
        if needed is not None:
            assert answer.status_code == 403, where
            assert needed[1] != permission, where
        else:
            hidden = row.everywhere == GONE or (permission is Permission.PROPOSAL_READ and row.on == "proposed")
            assert answer.status_code == (404 if hidden else row.everywhere), where
        if answer.is_success:
            world.restore()


def test_who_is_not_signed_in_is_told_to_sign_in(world: World) -> None:
    for row in ROWS:
        world.client.cookies.clear()  # of the session that one of them begins
        answer = _ask(world, row, None)
        if row.roles == NOBODY_SIGNED_IN:
            assert answer.status_code == row.everywhere, row.name
        else:
            assert answer.status_code == 401, row.name
            assert answer.json()["type"] == "/problems/not-signed-in", row.name
    world.restore()
