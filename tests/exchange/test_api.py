"""Files in and out over HTTP."""

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from sqlalchemy import event, func, select

from app.access.models import Role
from app.database import Database, utc_now
from app.exchange import exports
from app.exchange.api import XLSX, ZIP
from app.registry.models import Household
from tests import factories
from tests.conftest import ActingAs
from tests.exchange.village import VILLAGE, with_cell

Sent = list[tuple[str, tuple[str, bytes]]]


def _form(files: Mapping[str, bytes]) -> Sent:
    return [("files", (name, content)) for name, content in files.items()]


def _households(database: Database) -> int:
    with database.session(writes=False) as session:
        return session.scalar(select(func.count()).select_from(Household)) or 0


def test_files_go_in_and_come_out(acting_as: ActingAs, database: Database) -> None:
    planner = acting_as(Role.PLANNER)
    answer = planner.post("/imports", params={"dry_run": True}, files=_form(VILLAGE))
    assert answer.status_code == 200
    assert answer.json()["dry_run"] is True
    assert answer.json()["tables"]["households"] == {"created": 3, "changed": 0, "unchanged": 0}
    assert _households(database) == 0
    assert planner.post("/imports", files=_form(VILLAGE)).json()["sentence"] == "21 rows added, 0 changed, 0 unchanged."
    assert _households(database) == 3
    packed = planner.get("/exports")
    assert (packed.status_code, packed.headers["Content-Type"]) == (200, ZIP)
    assert packed.headers["Content-Disposition"] == 'attachment; filename="hearth.zip"'
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist() if name != "README.txt"} == VILLAGE
    sheets = planner.get("/exports", params={"format": "xlsx"})
    assert (sheets.status_code, sheets.headers["Content-Type"]) == (200, XLSX)
    for name, content in (("v.zip", packed.content), ("v.xlsx", sheets.content)):
        again = planner.post("/imports", files=_form({name: content})).json()
        assert again["sentence"] == "Nothing changed: all 21 rows are there as they are."


def test_an_export_is_of_one_moment(acting_as: ActingAs, database: Database) -> None:
    planner = acting_as(Role.PLANNER)
    planner.post("/imports", files=_form(VILLAGE))
    arrived: list[str] = []

    def arrive(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM households" in statement and not arrived:
            arrived.append("soon")
            with database.session(writes=True) as session:
                arrived[0] = factories.household(session, children=1).reference

    event.listen(database.engine, "after_cursor_execute", arrive)
    for is_there in (False, True):
        packed = planner.get("/exports").content
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        assert [arrived[0].encode() in files[name] for name in ("households.csv", "people.csv")] == [is_there] * 2
        again = planner.post("/imports", files=_form({"export.zip": packed})).json()
        assert again["sentence"].startswith("Nothing changed")


def test_an_export_says_who_made_it_and_when(acting_as: ActingAs) -> None:
    planner = acting_as(Role.PLANNER)
    planner.post("/imports", files=_form(VILLAGE))
    me = planner.get("/me").json()
    began = f"{utc_now():%Y-%m-%d}"
    with zipfile.ZipFile(io.BytesIO(planner.get("/exports").content)) as archive:
        packed = archive.read("README.txt").decode().splitlines()
    workbook = load_workbook(io.BytesIO(planner.get("/exports", params={"format": "xlsx"}).content))
    sheet = [str(cell) for (cell,) in workbook.worksheets[0].values]
    assert workbook.properties.title == sheet[0]
    references = set()
    for note in (packed, sheet):
        said = re.fullmatch(r"Export (EX-[0-9A-Z]{8}) from Hearth, by (.*) \((.*)\), on (.*) \d\d:\d\d UTC", note[0])
        assert said is not None
        assert said.groups()[1:3] == (me["username"], me["reference"])
        assert began <= said[4] <= f"{utc_now():%Y-%m-%d}"
        assert note[1:] == packed[1:]
        references.add(said[1])
    assert len(references) == 2
    assert planner.post("/imports", files=_form({"v.zip": exports.as_zip({"README.txt": b"x"})})).status_code == 422


def test_a_wrong_row_is_answered_with_its_place_and_nothing_is_written(acting_as: ActingAs, database: Database) -> None:
    answer = acting_as(Role.PLANNER).post("/imports", files=_form(with_cell("people.csv", 3, "sex", "😀")))
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert problem["type"] == "/problems/invalid"
    assert problem["more"] == 0
    assert [(row["file"], row["row"], row["column"]) for row in problem["rows"]] == [("people.csv", 3, "sex")]
    assert [error["pointer"] for error in problem["errors"]] == ["#/people.csv/3/sex"]
    assert _households(database) == 0


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda: {"files": _form({"people.txt": b"x"})}, 415),
        (lambda: {"json": {"files": []}}, 415),
        (lambda: {"files": [*_form(VILLAGE), *_form({"people.csv": b"household"})]}, 422),
        (lambda: {"files": _form({f"{number}.csv": b"x" for number in range(21)})}, 422),
        (lambda: {"files": [("other", ("people.csv", b"x"))]}, 422),
        (lambda: {"files": _form({"v.zip": b"x"})}, 422),
    ],
)
def test_what_is_no_import_is_refused(
    acting_as: ActingAs, database: Database, send: Callable[[], dict[str, Sent]], status: int
) -> None:
    answer = acting_as(Role.PLANNER).post("/imports", **send())  # type: ignore[arg-type]  # files or json
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert _households(database) == 0


def test_too_much_is_refused(service: TestClient, acting_as: ActingAs) -> None:
    planner = acting_as(Role.PLANNER)
    service.app.state.settings = service.app.state.settings.model_copy(update={"max_upload_mb": 1})  # type: ignore[attr-defined]  # the service is FastAPI
    answer = planner.post("/imports", files=_form({"people.csv": bytes(2**20 + 1)}))
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


@pytest.mark.parametrize("roles", [(Role.CASEWORKER, Role.APPROVER), (Role.AUDITOR, Role.ADMINISTRATOR)])
def test_others_neither_import_nor_export(acting_as: ActingAs, roles: tuple[Role, ...]) -> None:
    client = acting_as(*roles)
    assert client.post("/imports", files=_form(VILLAGE)).status_code == 403
    assert client.get("/exports").status_code == 403
    local = acting_as(Role.PLANNER, district="North")
    assert local.post("/imports", files=_form(VILLAGE)).status_code == 403
    assert local.get("/exports").status_code == 403
