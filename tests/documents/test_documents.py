"""Documents of applications: what is taken, how it is kept, who reads it, and that nothing of it outlives it."""

import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.database import Database
from app.documents import attachments
from app.documents.attachments import Limits
from app.documents.models import Document, DocumentKind
from app.documents.store import Store, Stored
from app.errors import Conflict
from app.keys import Unreadable
from app.main import FORM_AROUND, LARGEST_BODY
from app.privacy.erasure import erase
from app.registry import queries
from app.registry.models import Application, ApplicationState
from app.settings import Settings
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
LIMITS = Limits(megabytes=1, documents=2)


@pytest.fixture
def submitted(database: Database) -> Application:
    """An application that nobody has verified."""
    with database.session(writes=True) as session:
        return factories.submitted(session, factories.settlement(session))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of documents, of this test's own."""
    monkeypatch.setenv("HEARTH_DATA_DIR", str(tmp_path))
    return tmp_path / "documents"


@pytest.fixture
def client(folder: Path, acting_as: ActingAs) -> httpx2.Client:
    """A caseworker, of a service that keeps documents in `folder`."""
    return acting_as(Role.CASEWORKER)


def _add(
    client: httpx2.Client, application: Application, content: bytes, name: str = "a.pdf", **data: Any
) -> httpx2.Response:
    path = f"/applications/{application.reference}/documents"
    return client.post(path, files={"file": (name, content)}, data={"kind": "identity"} | data)


@pytest.mark.parametrize(
    ("content", "media_type", "ending"),
    [
        (PDF, "application/pdf", "pdf"),
        (JPEG, "image/jpeg", "jpg"),
        (PNG, "image/png", "png"),
        (HEIC, "image/heif", "heic"),
    ],
)
@on_sqlite
def test_a_document_is_kept_encrypted_and_read_as_an_attachment(
    client: httpx2.Client, folder: Path, submitted: Application, content: bytes, media_type: str, ending: str
) -> None:
    added = _add(client, submitted, content, "page.html")
    assert added.status_code == 201
    document = added.json()
    assert (document["kind"], document["media_type"]) == ("identity", media_type)
    assert (document["size_bytes"], document["sha256"]) == (len(content), sha256(content).hexdigest())
    (file,) = folder.iterdir()
    assert content[8:] not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    read = client.get(f"/documents/{document['reference'].lower()}")
    assert read.content == content
    assert read.headers["Content-Type"] == media_type
    assert read.headers["Content-Disposition"] == f'attachment; filename="{document["reference"]}.{ending}"'
    assert read.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert "sandbox" in read.headers["Content-Security-Policy"]
    assert client.get(f"/applications/{submitted.reference}/documents").json()["items"] == [document]


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"<!doctype html><script>alert(1)</script>",
        b"PK\x03\x04" + b"word/vbaProject.bin" * 9,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"MZ\x90\x00",
        b"just text",
        b"\x00" * 32,
    ],
)
@on_sqlite
def test_what_is_no_scan_is_refused_whatever_it_is_called(
    client: httpx2.Client, folder: Path, submitted: Application, content: bytes
) -> None:
    refused = _add(client, submitted, content, "scan.pdf")
    assert refused.status_code == 415
    assert refused.json()["type"] == "/problems/unsupported-media-type"
    assert not folder.exists()


@on_sqlite
def test_what_is_sent_has_a_kind_a_content_and_a_size(
    client: httpx2.Client, folder: Path, submitted: Application
) -> None:
    path = f"/applications/{submitted.reference}/documents"
    empty = _add(client, submitted, b"")
    assert (empty.status_code, empty.json()["errors"][0]["pointer"]) == (422, "#/body/file")
    assert _add(client, submitted, PDF, kind="passport").status_code == 422
    assert client.post(path, data={"kind": "identity"}, files={"other": ("a", PDF)}).status_code == 422
    assert client.post(path, json={"kind": "identity"}).status_code == 415
    large = Settings().max_document_mb * 2**20 + 1
    assert LARGEST_BODY < large < large + FORM_AROUND
    for size in (large, large + FORM_AROUND):
        refused = _add(client, submitted, PDF.ljust(size, b" "))
        assert refused.status_code == 413
    assert not folder.exists()
    assert _add(client, submitted, PDF.ljust(large - 1, b" ")).status_code == 201


def _attach(database: Database, application: Application, store: Store, content: bytes) -> None:
    with database.session(writes=True) as session:
        found = queries.visible_application(session, OPERATOR, application.reference)
        attachments.add(session, found, DocumentKind.OTHER, content, store=store, limits=LIMITS, actor=OPERATOR)


def test_the_same_file_twice_at_once_is_one_document(
    client: httpx2.Client, folder: Path, submitted: Application
) -> None:
    answers = at_once(*[lambda: _add(client, submitted, PDF)] * 3)
    assert [each.status_code for each in answers] == [201, 201, 201]
    assert len({each.json()["reference"] for each in answers}) == 1
    assert len(list(folder.iterdir())) == 1
    assert _add(client, submitted, PDF, kind="marriage").json() == answers[0].json()


def test_an_application_has_as_many_documents_as_it_may_also_when_several_come_at_once(
    database: Database, tmp_path: Path, submitted: Application
) -> None:
    store = Store(tmp_path / "documents")

    def add(number: int) -> str:
        try:
            _attach(database, submitted, store, PDF + bytes([number]))
        except Conflict as refused:
            return refused.detail
        return "added"

    answers = at_once(*(lambda number=number: add(number) for number in range(4)))
    assert sorted(answers)[2:] == ["added", "added"]
    assert "2 documents, and may have no more" in min(answers)
    assert len(list(store.folder.iterdir())) == 2


@on_sqlite
def test_documents_are_removed_until_somebody_relied_on_them(
    client: httpx2.Client, database: Database, folder: Path, submitted: Application
) -> None:
    kept, removed = (_add(client, submitted, content).json()["reference"] for content in (PDF, PNG))
    assert client.delete(f"/documents/{removed}").status_code == 204
    assert client.get(f"/documents/{removed}").status_code == 404
    assert len(list(folder.iterdir())) == 1
    with database.session(writes=True) as session:
        session.get_one(Application, submitted.id).state = ApplicationState.VERIFIED
    refused = client.delete(f"/documents/{kept}")
    assert refused.status_code == 409
    assert "verified" in refused.json()["detail"]
    assert _add(client, submitted, JPEG).status_code == 201
    with database.session(writes=True) as session:
        session.get_one(Application, submitted.id).state = ApplicationState.WITHDRAWN
    assert _add(client, submitted, HEIC).status_code == 409
    assert client.get(f"/documents/{kept}").content == PDF


@on_sqlite
def test_a_file_that_was_altered_exchanged_or_lost_is_not_served(
    client: httpx2.Client, database: Database, folder: Path, submitted: Application
) -> None:
    first, second = (_add(client, submitted, content).json()["reference"] for content in (PDF, PNG))
    with database.session(writes=False) as session:
        names = dict(session.execute(select(Document.reference, Document.stored_as)).all())
    one, two = folder / names[first], folder / names[second]
    whole = one.read_bytes()
    spoilt: list[Callable[[], object]] = [
        lambda: one.write_bytes(whole[:-1]),
        lambda: one.write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:]),
        lambda: one.write_bytes(two.read_bytes()),
        lambda: one.write_bytes(b""),
        one.unlink,
    ]
    for spoil in spoilt:
        spoil()
        answer = client.get(f"/documents/{first}")
        assert answer.status_code == 503
        assert first in answer.json()["detail"] or "not ready" in answer.text.lower()
    assert client.get(f"/documents/{second}").content == PNG


def _age(folder: Path) -> None:
    long_ago = time.time() - 2 * attachments.ORPHANED_AFTER_SECONDS
    for file in folder.iterdir():
        os.utime(file, (long_ago, long_ago))


@on_sqlite
def test_what_was_left_half_done_is_swept_and_nothing_else(
    client: httpx2.Client, database: Database, folder: Path, submitted: Application
) -> None:
    store = Store(folder)
    assert attachments.sweep(database, store) == 0
    reference = _add(client, submitted, PDF).json()["reference"]
    store.write(PDF, "DO-00000000")  # of a transaction that was rolled back
    (folder / "0123.part").write_bytes(b"%PDF")  # of a process that was killed
    assert attachments.sweep(database, store) == 0
    _age(folder)
    fresh = store.write(PNG, "DO-00000001")
    assert attachments.sweep(database, store) == 2
    assert client.get(f"/documents/{reference}").content == PDF
    assert store.read(fresh, "DO-00000001") == PNG


def test_a_file_that_is_finished_while_the_folder_is_swept_is_no_matter(tmp_path: Path) -> None:
    store = Store.under(tmp_path)
    store.folder.mkdir()
    unfinished = [store.folder / f"{name}.part" for name in ("0123", "4567")]
    for file in unfinished:
        file.write_bytes(b"%PDF")
    _age(store.folder)
    names = store.names_older_than(attachments.ORPHANED_AFTER_SECONDS)
    first = next(names)
    for file in unfinished:
        file.rename(file.with_suffix(""))  # as its upload ends
    assert first.endswith(".part")
    assert list(names) == []


@on_sqlite
def test_nothing_is_on_record_where_the_file_cannot_be_written(
    database: Database, tmp_path: Path, submitted: Application
) -> None:
    (tmp_path / "documents").write_text("a file in the way")
    with pytest.raises(FileExistsError):
        _attach(database, submitted, Store(tmp_path / "documents"), PDF)
    with database.session(writes=False) as session:
        assert session.scalars(select(Document)).all() == []


def test_erasure_leaves_no_document_and_no_file(
    client: httpx2.Client, database: Database, folder: Path, submitted: Application, acting_as: ActingAs
) -> None:
    reference = _add(client, submitted, PDF).json()["reference"]
    (file,) = folder.iterdir()
    with Session(database.engine.execution_options(hearth_writes=True)) as session:
        erase(session, submitted.household.reference, "It asked.", OPERATOR)
        attachments.unlink_after_commit(session, Store(folder))
        session.rollback()
    assert file.exists()
    path = f"/households/{submitted.household.reference}/erase"
    assert acting_as(Role.PLANNER).post(path, json={"reason": "It asked."}).status_code == 200
    assert not file.exists()
    assert client.get(f"/documents/{reference}").status_code == 404
    with database.session(writes=False) as session:
        assert session.scalars(select(Document)).all() == []


@on_sqlite
def test_a_family_is_told_which_documents_are_held(client: httpx2.Client, folder: Path, submitted: Application) -> None:
    document = _add(client, submitted, PDF, kind="property_title").json()
    held = client.get(f"/households/{submitted.household.reference}/subject-access").json()
    assert held["applications"][0]["documents"] == [document]
    assert {"document.add"} <= {each["act"] for each in held["trail"]}


def test_a_key_reads_its_own_file_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, two = store.write(PDF, "DO-1"), store.write(PDF, "DO-2")
    assert store.read(one, "DO-1") == PDF
    for stored, bound_to in ((one, "DO-2"), (Stored(one.name, two.secret), "DO-1"), (Stored(one.name, "-"), "DO-1")):
        with pytest.raises(Unreadable):
            store.read(stored, bound_to)
