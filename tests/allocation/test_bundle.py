"""A proof bundle proves its run without the database, and tells whatever was changed in it."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import bundle, bundle_check, proof, queries, runs
from app.allocation.draw import addresses
from app.allocation.snapshot import Snapshot
from app.database import Database
from app.errors import Conflict, Invalid
from solver import Solution, canonical_json
from tests.allocation.conftest import Register, decide, drawn, proposed, read, request
from tests.allocation.test_placements import confirmed, last_house
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ROOT = Path(__file__).resolve().parents[2]
OLD = json.loads((Path(__file__).parent / "run_of_format_1.json").read_text("utf-8"))
"""A run as it was stored before snapshots had placements."""
Members = bundle_check.Members


def written(database: Database, reference: str) -> bytes:
    with database.session(writes=False) as session:
        return bundle.write(session, queries.run(session, OPERATOR, reference))


def changed(members: Members, name: str, change: Callable[[Any], Any]) -> Members:
    """Return the members with one document changed, and the sums made anew: whoever forges one would do that."""
    document = canonical_json.dumps(change(json.loads(members[name]))).encode()
    others = {other: content for other, content in members.items() if other != bundle.SUMS}
    return bundle_check.read(bundle.sealed({**others, name: document}))


def zipped(members: Members) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, member in members.items():
            opened.writestr(name, member)
    return content.getvalue()


@pytest.fixture
def reference(database: Database, register: Register) -> str:
    """A drawn run that rests on a placement."""
    confirmed(database, register.families["rented"], last_house(register))
    return drawn(database)


def test_it_holds_without_the_database_and_has_the_same_bytes_again(
    database: Database, reference: str, tmp_path: Path
) -> None:
    content = written(database, reference)
    assert written(database, reference) == content
    members = bundle_check.read(content)
    published = read(database, reference).snapshot_sha256
    assert bundle_check.faults(members, published) == []
    assert bundle_check.faults(members, "0" * 64) == ["snapshot.json: its SHA-256 is not the one that was published."]
    with zipfile.ZipFile(BytesIO(content)) as opened:
        opened.extractall(tmp_path)
    for command in (
        ["sha256sum", "-c", "SHA256SUMS"],
        [sys.executable, "-I", "draw.py"],
    ):
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    check = bundle.check_command(Solution.from_json(members["solution.json"])).split()
    assert " ".join(check) in members["README.md"].decode()
    files = [str(tmp_path / name) for name in check[-2:]]
    ended = subprocess.run(
        [sys.executable, *check[1:-2], *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.stdout.startswith("optimal: "), ended.stderr
    draw = json.loads((tmp_path / "draw.json").read_text())
    first, second = sorted(draw["addresses"])[:2]
    draw["addresses"][first], draw["addresses"][second] = draw["addresses"][second], draw["addresses"][first]
    (tmp_path / "draw.json").write_text(json.dumps(draw))
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "draw.json is not what the seed gives\n")


@on_sqlite
def test_whatever_is_changed_is_found_and_named(database: Database, reference: str) -> None:
    members = bundle_check.read(written(database, reference))
    for name in bundle.MEMBERS:
        found = bundle_check.faults({**members, name: members[name].replace(b"e", b"3", 1)})
        assert any(fault.startswith(f"{name}: ") for fault in found), name
    without = {**members, bundle.SUMS: members[bundle.SUMS].split(b"\n", 1)[1]}
    assert bundle_check.faults(without) == ["SHA256SUMS: README.md is not in it."]


def _other_seed(run: dict[str, Any]) -> dict[str, Any]:
    return run | {"seed": "another"}


def _other_hash(run: dict[str, Any]) -> dict[str, Any]:
    return run | {"snapshot_sha256": "0" * 64}


def _fields(**fields: Any) -> Callable[[Any], Any]:
    return lambda run: run | fields


def _more_points(snapshot: dict[str, Any]) -> dict[str, Any]:
    snapshot["households"][0]["points"] += 1
    return snapshot


def _no_placement(snapshot: dict[str, Any]) -> dict[str, Any]:
    for row in snapshot["problem"]["households"]:
        row.pop("pinned", None)
    return snapshot


def _first_in_lottery(problem: dict[str, Any]) -> dict[str, Any]:
    rows = problem["households"]
    rows[0]["lottery"], rows[1]["lottery"] = rows[1]["lottery"], rows[0]["lottery"]
    return problem


def _one_less(solution: dict[str, Any]) -> dict[str, Any]:
    return solution | {"assignments": solution["assignments"][1:]}


def _other_number(draw: dict[str, Any]) -> dict[str, Any]:
    first = min(draw["lottery"])
    return draw | {"lottery": draw["lottery"] | {first: draw["lottery"][first] + 1}}


def _no_addresses(draw: dict[str, Any]) -> dict[str, Any]:
    return draw | {"addresses": None}


def _swapped(draw: dict[str, Any]) -> dict[str, Any]:
    first, second = sorted(draw["addresses"])[:2]
    given = draw["addresses"]
    return draw | {"addresses": given | {first: given[second], second: given[first]}}


def _milder(policy: dict[str, Any]) -> dict[str, Any]:
    return policy | {"spare_allowed": 9}


def _nothing(_document: Any) -> list[int]:
    return []


FORGERIES = [
    ("run.json", _other_seed, "The problem is not what snapshot and seed give."),
    ("run.json", _other_hash, "The snapshot is not the one whose hash was published."),
    ("run.json", _nothing, "run.json: "),
    ("run.json", _fields(state="nonsense"), "run.json: state: "),
    ("run.json", _fields(state="queued"), "run.json: state: "),
    ("run.json", _fields(state="proposed"), "draw.json: the run is proposed and there are addresses."),
    ("run.json", _fields(seed_is_public=True), "run.json: it: Value error, a public seed is entered, and no other."),
    (
        "run.json",
        _fields(seed_is_public=True, seed_entered_at="2020-01-01T00:00:00.000000Z"),
        "run.json: it: Value error, the seed was entered before the hash was published.",
    ),
    ("run.json", _fields(published_at="yesterday"), "run.json: published_at: "),
    ("run.json", _fields(time_limit_seconds=-5), "run.json: time_limit_seconds: "),
    ("run.json", _fields(versions={}), "run.json: its versions are not those of solution.json."),
    ("run.json", _fields(checked_by="an auditor"), "run.json: checked_by: "),
    ("snapshot.json", _more_points, "The snapshot is not the one whose hash was published."),
    ("snapshot.json", _no_placement, "Placement PL-"),
    ("snapshot.json", _nothing, "snapshot.json, problem.json or solution.json cannot be read"),
    ("problem.json", _first_in_lottery, "The problem is not what snapshot and seed give."),
    ("solution.json", _one_less, "Solution: "),
    ("draw.json", _other_number, "draw.json: the lottery numbers are not what the seed gives."),
    ("draw.json", _no_addresses, "draw.json: the run is drawn and there are no addresses."),
    ("draw.json", _swapped, "draw.json: HH-"),
    ("draw.json", _nothing, "draw.json: "),
    ("policy.json", _milder, "policy.json: it is not the policy in the snapshot."),
]


@on_sqlite
def test_a_forgery_with_sums_of_its_own_is_found(database: Database, reference: str) -> None:
    members = bundle_check.read(written(database, reference))
    for name, change, fault in FORGERIES:
        found = bundle_check.faults(changed(members, name, change))
        assert any(each.startswith(fault) for each in found), (name, change, found)
    # Snapshot and stated hash forged alike: only the hash that was published before the seed tells.
    forged = changed(members, "snapshot.json", _more_points)
    stated = sha256(forged["snapshot.json"]).hexdigest()
    forged = changed(forged, "run.json", lambda run: run | {"snapshot_sha256": stated})
    assert bundle_check.faults(forged) == []
    assert bundle_check.faults(forged, read(database, reference).snapshot_sha256) != []


@on_sqlite
def test_the_service_s_own_words_are_held_to_and_not_to_their_sums_alone(database: Database, reference: str) -> None:
    members = bundle_check.read(written(database, reference))
    others = {name: content for name, content in members.items() if name != bundle.SUMS}
    for name, forged in (
        ("draw.py", b"print('The lottery and the draw are what the seed gives.')\n"),
        ("README.md", members["README.md"].replace(b"python -m solver check", b"echo optimal: # ")),
    ):
        assert forged != members[name]
        found = bundle_check.faults(bundle_check.read(bundle.sealed({**others, name: forged})))
        assert found == [f"{name}: it is not the one that Hearth ships."]


def test_what_a_format_ships_stays_as_it_is_so_that_earlier_bundles_hold() -> None:
    folder = resources.files("app.allocation").joinpath("bundled")
    shipped = {each.name: sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}
    assert (bundle.FORMAT, shipped) == (
        "hearth-bundle/1",
        {
            "README.md.txt": "e7ff551e869286ff80884e764b21033a8702da8e5bdb694c34aed3e84d4c7c35",
            "draw.py.txt": "9baaf7f44624659794d0ab53a6fa75ad9dba4df54bc6f4589ccb684ccd9268c0",
        },
    )


@on_sqlite
def test_a_damaged_bundle_is_refused_or_its_fault_named_wherever_the_damage_is(
    database: Database, reference: str
) -> None:
    whole = written(database, reference)
    members, refused = bundle_check.read(whole), []
    for position in range(0, len(whole), len(whole) // 200):
        damaged = whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :]
        try:
            found = bundle_check.read(damaged)
        except Invalid as refusal:
            refused.append(refusal.detail)
        else:  # where it says when it was packed, say
            assert found == members or bundle_check.faults(found) != []
    assert any("decompressing" in each for each in refused)


@on_sqlite
def test_what_is_no_bundle_is_refused_and_nothing_is_unpacked_without_end(database: Database, reference: str) -> None:
    members = bundle_check.read(written(database, reference))
    bomb = zipped({**members, "README.md": b"\0" * 50_000_000})
    assert len(bomb) < 100_000
    with pytest.raises(Invalid, match="more than 1,000,000 bytes"):
        bundle_check.read(bomb, most_bytes=1_000_000)
    fewer = {name: content for name, content in members.items() if name != "draw.py"}
    for content, sentence in (
        (b"nothing", "no proof bundle: "),
        (zipped(fewer), "draw.py is missing"),
        (zipped({**members, "../evil": b""}), "../evil is missing, unknown"),
        (zipped(members)[:-40], "no proof bundle: "),
    ):
        with pytest.raises(Invalid, match=sentence):
            bundle_check.read(content)


@on_sqlite
def test_a_run_that_is_not_drawn_has_no_addresses_and_one_without_solution_no_bundle(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    auditor = acting_as(Role.AUDITOR)
    waiting = request(database)
    assert auditor.get(f"/runs/{waiting}/bundle").status_code == 409
    with pytest.raises(Conflict, match="no solution to prove"):
        written(database, waiting)
    decide(database, waiting, runs.cancel)
    reference = proposed(database)
    answer = auditor.get(f"/runs/{reference}/bundle")
    assert (answer.headers["Content-Type"], answer.content) == ("application/zip", written(database, reference))
    members = bundle_check.read(answer.content)
    assert json.loads(members["draw.json"])["addresses"] is None
    assert bundle_check.faults(members) == []


def test_a_run_stored_before_the_format_grew_still_holds() -> None:
    documents = proof.Documents(
        OLD["reference"], OLD["snapshot"], OLD["snapshot_sha256"], OLD["seed"], OLD["problem"], OLD["solution"]
    )
    assert proof.faults_of(documents) == []
    snapshot = Snapshot.model_validate_json(OLD["snapshot"])
    houses = {part.id: part.houses for part in snapshot.house_classes}
    assignments = Solution.from_json(OLD["solution"]).assignments
    assert addresses(OLD["seed"], OLD["reference"], assignments, houses, snapshot.kept) == OLD["addresses"]
