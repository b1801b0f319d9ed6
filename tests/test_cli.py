"""What an operator types, and what comes back: 0 done, 1 refused in a sentence, 2 usage."""

import html
import io
import json
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from app import keys
from app.exchange import demo, exports

SEED, SCALE = 7, 0.05
PASSWORD = "correct horse battery staple"
Hearth = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "var"
    monkeypatch.setenv("HEARTH_DATA_DIR", str(folder))
    monkeypatch.delenv("HEARTH_DATABASE_URL", raising=False)
    return folder


@pytest.fixture
def hearth(data_dir: Path, commands: Hearth) -> Hearth:
    """Runs the command line over a database in a folder of this test's own."""
    return commands


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return demo.district(SEED, SCALE)


@pytest.fixture
def district(tmp_path: Path, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "district"
    exports.save(files, folder)
    return folder


@pytest.fixture
def checked(hearth: Hearth, district: Path, tmp_path: Path) -> None:
    """The district, imported, verified and decided on."""
    hearth("import", str(district))
    _add_user(hearth, tmp_path, "verifier", "verifier")
    hearth("applications", "verify", "--as", "verifier")
    assert hearth("applications", "decide", "--as", "verifier")[0] == 0


def _add_user(hearth: Hearth, tmp_path: Path, name: str, role: str) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    assert hearth("users", "add", name, "--role", role, "--password-file", str(tmp_path / "password"))[0] == 0


def test_applications_are_verified_and_decided_on_by_others_than_who_imported_them(
    hearth: Hearth, district: Path, tmp_path: Path
) -> None:
    assert hearth("applications", "verify")[1] == "Verified 0 applications.\n"
    hearth("import", str(district))
    assert "hearth applications verify" in hearth("run")[2]
    code, out, _ = hearth("applications", "verify")
    assert code == 1
    assert "somebody else has to decide" in out
    _add_user(hearth, tmp_path, "vera", "verifier")
    assert "no origin" in hearth("applications", "verify", "--origin", "nowhere", "--as", "vera")[2]
    assert hearth("applications", "verify", "AP-00000000", "--origin", "AMB", "--as", "vera")[0] == 2
    assert hearth("applications", "verify", "AP-00000000", "--as", "vera")[0] == 1
    assert hearth("applications", "verify", "--as", "vera")[1] == "Verified 95 applications.\n"
    code, out, _ = hearth("applications", "decide", "--as", "vera", "--verdict", "ineligible")
    assert code == 0
    assert "The rules say that it is eligible." in out
    ineligible = int(out.split()[-3])
    assert hearth("applications", "decide", "--as", "vera")[1] == f"Found {95 - ineligible} applications eligible.\n"
    assert hearth("run")[0] == 0


def test_the_whole_job(hearth: Hearth, district: Path, tmp_path: Path) -> None:
    code, out, _ = hearth("import", str(district), "--dry-run")
    assert code == 0
    assert "would be added" in out
    assert hearth("import", str(district))[0] == 0
    assert "Nothing changed" in hearth("import", str(district))[1]
    _add_user(hearth, tmp_path, "verifier", "verifier")
    assert hearth("applications", "verify", "--as", "verifier")[0] == 0
    assert hearth("applications", "decide", "--as", "verifier")[0] == 0

    code, out, _ = hearth("run", "--wait")
    assert code == 0
    assert "not public" not in out
    last = out.rstrip().splitlines()[-1]
    assert last.startswith("Proven optimal in every stage: tier 1")
    reference = re.search(r"RUN-[0-9A-Z]{8}", out)[0]  # type: ignore[index]  # asserted by what follows
    assert "is proposed" in out

    code, _, err = hearth("run")
    assert code == 1
    assert reference in err

    assert "somebody else" in hearth("run", "approve", reference)[2]
    assert "no user" in hearth("run", "approve", reference, "--as", "approver")[2]
    _add_user(hearth, tmp_path, "approver", "caseworker")
    assert "run.decide" in hearth("run", "approve", reference, "--as", "approver")[2]
    assert hearth("users", "roles", "approver", "--role", "approver")[1] == "approver is approver.\n"
    hearth("users", "disable", "approver")
    assert "disabled" in hearth("run", "approve", reference, "--as", "approver")[2]
    hearth("users", "enable", "approver")
    code, out, _ = hearth("run", "approve", reference, "--as", "approver")
    assert code == 0
    assert "is drawn" in out
    assert hearth("run", "verify", reference)[1].startswith(f"{reference} holds: Proven optimal")
    proof = str(tmp_path / "proof.zip")
    code, out, _ = hearth("run", "bundle", reference, proof)
    assert (code, "SHA-256" in out) == (0, True)
    assert Path(proof).stat().st_mode & 0o777 == 0o600
    assert "cannot be written: File exists" in hearth("run", "bundle", reference, proof)[2]
    assert "was not compared" in hearth("run", "verify", proof)[1]
    code, _, err = hearth("run", "verify", proof, "--published", "0" * 64)
    assert (code, "snapshot.json" in err) == (1, True)
    assert "cannot be read" in hearth("run", "verify", str(tmp_path / "nowhere.zip"))[2]
    assert "cannot be written" in hearth("run", "bundle", reference, str(tmp_path / "nowhere" / "proof.zip"))[2]
    assert "byte for byte" in hearth("run", "replay", reference)[1]
    assert hearth("run", "approve", reference)[0] == 1
    assert reference in hearth("run", "list")[1]

    assert hearth("export", str(tmp_path / "out.zip"))[0] == 0
    assert "Nothing changed" in hearth("import", str(tmp_path / "out.zip"))[1]


def test_a_run_can_be_rejected_and_its_settlements_allocated_again(
    hearth: Hearth, checked: None, tmp_path: Path
) -> None:
    out = hearth("run", "--seed-source", "Lottery of 1 May")[1]
    reference = re.search(r"RUN-[0-9A-Z]{8}", out)[0]  # type: ignore[index]  # a run was made
    assert "awaiting_seed" in hearth("run", "show", reference)[1]
    assert "somebody else" in hearth("run", "seed", reference, "4 8 15")[2]
    (tmp_path / "password").write_text(PASSWORD)
    user = ("--role", "approver", "--password-file", str(tmp_path / "password"))
    assert hearth("users", "add", "approver", *user)[0] == 0
    assert hearth("run", "seed", reference, "4 8 15", "--as", "approver")[0] == 0
    assert hearth("run", "follow", reference)[0] == 0
    assert hearth("run", "reject", reference, "--reason", "Wrong list")[0] == 0
    code, out, _ = hearth("run")
    assert code == 0
    assert hearth("run", "replay", reference)[0] == 0
    second = re.search(r"RUN-[0-9A-Z]{8}", out)[0]  # type: ignore[index]  # a run was made
    assert "no solution" in hearth("run", "replay", second)[2]
    assert hearth("run", "cancel", second)[0] == 0
    assert hearth("run", "cancel", second)[0] == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--as", "somebody"),
        ("--as", ""),
        ("--settlement", "AMB"),
        ("--seed-source", "A lottery"),
        ("--time-limit", "60"),
        ("--move-issued",),
        ("--wait",),
    ],
)
def test_options_of_a_request_are_refused_before_a_command(hearth: Hearth, options: tuple[str, ...]) -> None:
    code, out, err = hearth("run", *options, "list")
    assert (code, out, "give --as after it" in " ".join(err.split())) == (2, "", True)


def test_help_says_what_it_means(hearth: Hearth) -> None:
    def said(*command: str) -> str:
        return " ".join(re.sub("[│\n]", " ", hearth(*command, "--help")[1]).split())

    assert "the extra `sweep`" in said("duplicates", "sweep")
    assert "Who does it" in said("run")
    assert "Who decides it" not in said("run")
    assert "waits for its seed" in said("run", "cancel")


def test_an_interrupted_run_waits_and_can_be_followed(hearth: Hearth, checked: None, data_dir: Path) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "run", "--wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    with closing(sqlite3.connect(data_dir / "hearth.db")) as database:
        while database.execute("SELECT 1 FROM runs WHERE state = 'solving'").fetchone() is None:
            assert time.monotonic() < until
            time.sleep(0.02)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    reference = re.search(r"RUN-[0-9A-Z]{8}", out)[0]  # type: ignore[index]  # the run was requested
    assert f"hearth run follow {reference}" in err
    assert "is queued" in hearth("run", "show", reference)[1]
    code, out, _ = hearth("run", "follow", reference.lower())
    assert code == 0
    assert out.rstrip().splitlines()[-1].startswith("Proven optimal")
    assert hearth("run", "follow", "RUN-00000000")[0] == 1


def test_nothing_to_allocate_is_said(hearth: Hearth) -> None:
    code, _, err = hearth("run", "--wait")
    assert code == 1
    assert "ready" in err


def test_a_wrong_import_names_each_row_and_writes_nothing(hearth: Hearth, district: Path) -> None:
    houses = district / "houses.csv"
    lines = houses.read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace(",1,", ",many,", 1)
    houses.write_text("\n".join(lines), encoding="utf-8")
    code, _, err = hearth("import", str(district))
    assert code == 1
    assert "houses.csv, row 4" in err
    assert "Nothing was imported" in err
    assert hearth("run")[0] == 1


def test_every_wrong_row_is_listed_where_nobody_scrolls(hearth: Hearth, district: Path) -> None:
    people = district / "people.csv"
    header, *rows = people.read_text(encoding="utf-8").splitlines()
    people.write_text("\n".join([header, *(row.replace("male,", "m\x1b[2Jle,") for row in rows)]), encoding="utf-8")
    _, _, err = hearth("import", str(district))
    wrong = sum("male," in row for row in rows)
    assert wrong == sum("people.csv, row" in line for line in err.splitlines()) > 20
    assert "\x1b" not in err


def test_nothing_is_said_to_be_written_before_it_is(hearth: Hearth, district: Path) -> None:
    hearth("db", "upgrade")
    full = f"ulimit -f 100 && exec {shlex.quote(sys.executable)} -m app.cli import {shlex.quote(str(district))}"
    ended = subprocess.run(["/bin/sh", "-c", full], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "cannot be used" in ended.stderr
    assert "Nothing changed" not in hearth("import", str(district))[1]


@pytest.mark.parametrize("source", ["missing", "empty", "letter.docx"])
def test_an_import_of_nothing_useful_is_refused(hearth: Hearth, tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.docx").write_bytes(b"PK")
    code, _, err = hearth("import", str(tmp_path / source))
    assert code == 1
    assert source in err
    assert "Traceback" not in err


def test_need_and_its_reasons(hearth: Hearth) -> None:
    code, out, _ = hearth("need", "lha_size_criteria", "40M*", "38F*", "16F", "11M", "3M", "3F")
    assert code == 0
    assert out.startswith("4 bedrooms")
    assert "own room: 16 or over" in out
    assert hearth("need", "lha_size_criteria", "40X")[0] == 2
    assert hearth("need", "palace", "40M")[0] == 2
    assert hearth("need")[0] == 2


def test_users(hearth: Hearth, district: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearth("import", str(district))
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    add = ("users", "add", "amina", "--role", "planner", "--password-file", str(secret))
    assert hearth(*add)[0] == 0
    assert "taken" in hearth(*add)[2]
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    code, _, err = hearth("users", "add", "oleh", "--role", "caseworker", "--password-file", "-")
    assert code == 1
    assert "12 to 200" in err
    assert hearth("users", "add", "oleh", "--role", "king")[0] == 2
    code, out, _ = hearth("users", "token", "amina")
    assert code == 0
    assert out.startswith("hearth_")
    assert "HEARTH_OIDC_ISSUER" in hearth("users", "link", "amina", "subject")[2]
    monkeypatch.setenv("HEARTH_OIDC_ISSUER", "https://identity.example")
    assert hearth("users", "link", "amina", "s" * 256)[::2] == (1, "hearth: A subject has at most 255 characters.\n")
    assert hearth("users", "link", "amina", "subject")[1] == "amina signs in with https://identity.example.\n"
    assert [hearth("users", "unlink", "amina")[0] for _ in range(2)] == [0, 1]
    assert hearth("users", "disable", "amina")[0] == 0
    assert hearth("users", "token", "amina")[0] == 1
    assert hearth("users", "disable", "nobody")[0] == 1


def test_keys(hearth: Hearth, district: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keys, "_in_use", [])
    monkeypatch.setenv("HEARTH_KEYS_FILE", str(tmp_path / "keyring" / "keys.json"))
    code, _, err = hearth("import", str(district))
    assert code == 1
    assert "hearth keys make" in err
    assert hearth("keys", "make")[0] == 0
    assert hearth("keys", "make")[0] == 1
    assert hearth("import", str(district))[0] == 0
    first = hearth("keys", "list")[1].split()
    assert first[-1] == "current"
    code, out, _ = hearth("keys", "rotate")
    assert code == 0
    assert f"{first[-2]} texts" in out
    _, old, new = hearth("keys", "list")[1].splitlines()
    assert (old.split()[-1], new.split()[-2:]) == ("0", [first[-2], "current"])
    assert "Nothing changed" in hearth("import", str(district))[1]


def test_a_database_beside_another_keyring_is_not_opened(
    hearth: Hearth, district: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hearth("import", str(district))
    monkeypatch.setattr(keys, "_in_use", [keys.make(tmp_path / "keys.json")])
    code, _, err = hearth("run", "list")
    assert code == 1
    assert "not the one of this database" in err


def test_a_new_database_has_a_keyring_with_it(
    hearth: Hearth, data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keys, "_in_use", [])
    monkeypatch.setenv("HEARTH_KEYS_FILE", str(tmp_path / "keys.json"))
    assert hearth("db", "upgrade")[0] == 0
    made = (tmp_path / "keys.json").read_bytes()
    assert hearth("db", "upgrade")[0] == 0
    assert (tmp_path / "keys.json").read_bytes() == made
    (tmp_path / "keys.json").unlink()
    assert hearth("db", "upgrade")[0] == 0
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize(
    ("arguments", "longest"),
    [
        (("erase", "HH-00000000", "--reason"), 500),
        (("run", "--seed-source"), 500),
        (("run", "reject", "RUN-00000000", "--reason"), 500),
        (("users", "add", "amina", "--role", "planner", "--password-file", "-", "--name"), 200),
        (("users", "add", "amina", "--role", "planner", "--password-file", "-", "--district"), 120),
        (("users", "roles", "amina", "--role", "planner", "--district"), 120),
    ],
)
def test_a_text_that_the_register_cannot_hold_is_told_to_who_wrote_it(
    hearth: Hearth, arguments: tuple[str, ...], longest: int
) -> None:
    for given in ("x" * (longest + 1), "\x07", " "):
        code, _, err = hearth(*arguments, given)
        assert code == 2
        assert f"at most {longest} characters" in re.sub(r"[\s│]+", " ", err)


def test_data_is_erased_on_request_and_when_its_time_has_passed(
    hearth: Hearth, district: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearth("import", str(district))
    with closing(sqlite3.connect(data_dir / "hearth.db")) as database:
        (reference, name), *others = database.execute(
            "SELECT households.reference, given_name FROM households JOIN people ON household_id = households.id "
            "WHERE relationship = 'head'"
        ).fetchall()
    code, out, _ = hearth("erase", reference.lower(), "--reason", "Asked for.")
    assert (code, out.strip()) == (0, f"Erased {reference}.")
    code, _, err = hearth("erase", reference, "--reason", "Asked for.")
    assert code == 1
    assert "no such household" in err
    assert hearth("retention", "preview")[1].startswith("0 households are due")
    monkeypatch.setenv("HEARTH_PROGRAMME_ENDED_ON", "2020-02-01")
    out = hearth("retention", "preview")[1]
    assert out.count("2020-02-01  programme ended") == len(others)
    assert f"{len(others)} households are due" in out
    assert f"Erased {len(others)} households." in hearth("retention", "apply")[1]
    assert "Erased 0 households." in hearth("retention", "apply")[1]
    names = {str(each).encode() for each in [name, *(name for _, name in others)]}
    content = b"".join(path.read_bytes() for path in data_dir.glob("hearth.db*"))
    assert [each for each in names if each in content] == []


def test_a_family_is_given_what_is_held_of_it(hearth: Hearth, district: Path, data_dir: Path, tmp_path: Path) -> None:
    hearth("import", str(district))
    with closing(sqlite3.connect(data_dir / "hearth.db")) as database:
        reference = database.execute("SELECT reference FROM households").fetchone()[0]
    code, out, _ = hearth("subject-access", reference.lower())
    assert code == 0
    held = json.loads(out)
    assert held["household"]["reference"] == reference
    assert [each["act"] for each in held["trail"]] == ["exchange.import"]
    page = tmp_path / "page.html"
    assert hearth("subject-access", reference, "--html", str(page))[0] == 0
    assert held["household"]["people"][0]["family_name"] in html.unescape(page.read_text("utf-8"))
    assert page.stat().st_mode & 0o077 == 0
    code, _, err = hearth("subject-access", reference, "--html", str(page))
    assert code == 1
    assert "new file" in err
    assert hearth("subject-access", "HH-00000000")[0] == 1


def test_a_wrong_setting_is_named(hearth: Hearth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_PORT", "eighty")
    code, _, err = hearth("run", "list")
    assert code == 1
    assert "HEARTH_PORT" in err


def test_a_wrong_setting_that_may_be_of_two_kinds_is_named_once(
    hearth: Hearth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_PORT", "eighty")
    monkeypatch.setenv("HEARTH_PROGRAMME_ENDED_ON", "yesterday")
    err = hearth("run", "list")[2]
    assert [line.split()[0] for line in err.splitlines()[1:]] == ["HEARTH_PORT:", "HEARTH_PROGRAMME_ENDED_ON:"]
    assert "valid date" in err


def test_a_password_that_is_no_text_is_refused_in_a_sentence(hearth: Hearth, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff" * 20)
    code, _, err = hearth("users", "add", "zz", "--role", "planner", "--password-file", str(tmp_path / "secret"))
    assert (code, "no text in UTF-8" in err, len(err.splitlines())) == (1, True, 1)


def test_a_folder_that_cannot_be_written_is_named(
    hearth: Hearth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HEARTH_DATA_DIR", str(tmp_path / "file" / "var"))
    code, _, err = hearth("run", "list")
    assert code == 1
    assert str(tmp_path / "file") in err
    assert "Traceback" not in err


def test_a_server_that_is_not_there_is_said(hearth: Hearth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_DATABASE_URL", "postgresql://hearth:very-secret@127.0.0.1:1/hearth")
    code, _, err = hearth("db", "check")
    assert code == 1
    assert "very-secret" not in err


def test_a_database_that_is_not_migrated_is_said(hearth: Hearth) -> None:
    code, _, err = hearth("db", "check")
    assert code == 1
    assert "hearth db upgrade" in err
    assert hearth("db", "upgrade")[0] == 0
    assert hearth("db", "check")[0] == 0


def test_a_taken_port_is_said_before_any_work(hearth: Hearth, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("HEARTH_PORT", str(taken.getsockname()[1]))
        code, _, err = hearth("demo")
    assert code == 1
    assert "HEARTH_PORT" in err
    assert not data_dir.exists()


def test_the_demonstration_keeps_away_from_a_real_register(
    hearth: Hearth, district: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearth("import", str(district))
    monkeypatch.setenv("HEARTH_PORT", str(_free_port()))
    code, _, err = hearth("demo")
    assert code == 1
    assert "hearth serve" in err


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_demonstration_serves_and_goes_on_from_where_it_was(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = _free_port()
    monkeypatch.setenv("HEARTH_PORT", str(port))
    runs, visitors = [], None
    service_runs = f"http://127.0.0.1:{port}/api/v1/runs"
    for _ in range(2):
        log = tmp_path / "log"
        with log.open("wb") as out:
            service = subprocess.Popen([sys.executable, "-m", "app.cli", "demo"], stdout=out, stderr=out)
        try:
            sign_ins = json.loads(_when_up(f"http://127.0.0.1:{port}/readyz", service, log, data_dir))
            assert set(sign_ins) == {"caseworker", "verifier", "planner", "approver", "village"}
            assert (data_dir / "sign-ins.json").stat().st_mode & 0o077 == 0
            body = {"username": "planner", "password": sign_ins["planner"]}
            answer = httpx2.post(f"http://127.0.0.1:{port}/api/v1/tokens", json=body)
            assert answer.json()["token"].startswith("hearth_")
            signed_in = {"Authorization": f"Bearer {answer.json()['token']}"}
            if visitors is None:
                asked = httpx2.post(service_runs, json={"move_issued": True}, headers=signed_in)
                assert asked.status_code == 202, asked.text
                visitors = asked.json()["reference"]
            # Nobody but the visitor decides on it.
            there = httpx2.get(f"{service_runs}/{visitors}", headers=signed_in).json()
            assert there["state"] in ("queued", "solving", "proposed")
        finally:
            service.terminate()
            assert service.wait(20) in (0, -15)
        text = log.read_text(encoding="utf-8")
        assert "Proven optimal in every stage" in text
        runs.append(re.findall(r"(RUN-[0-9A-Z]{8}) is offers_issued", text))
    assert runs[0] == runs[1]
    shutil.rmtree(data_dir)


def _when_up(address: str, service: subprocess.Popen[bytes], log: Path, data_dir: Path) -> str:
    """Return the sign-ins of the demonstration once it answers."""
    until = time.monotonic() + 120
    while time.monotonic() < until and service.poll() is None:
        try:
            assert httpx2.get(address).json() == {"status": "ok"}
            return (data_dir / "sign-ins.json").read_text(encoding="utf-8")
        except httpx2.ConnectError:
            time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


def test_placements_are_requested_confirmed_and_lifted(hearth: Hearth, district: Path, tmp_path: Path) -> None:
    hearth("import", str(district))
    with closing(sqlite3.connect(tmp_path / "var" / "hearth.db")) as connection:
        (family,) = connection.execute("SELECT reference FROM households").fetchone()
        (place,) = connection.execute("SELECT reference FROM settlements").fetchone()
    ask = ("placement", "request", family, "--reason", "safety")
    assert "Give one of" in hearth(*ask)[2]
    assert "--size" in hearth(*ask, "--settlement", place)[2]
    assert "no house" in hearth(*ask, "--house", "HO-00000000")[2].lower()
    code, out, _ = hearth(*ask, "--forbid", place, "--note", "Threats.")
    assert code == 0
    reference = re.search(r"PL-[0-9A-Z]{8}", out)[0]  # type: ignore[index]  # a placement was made
    assert "somebody else" in hearth("placement", "confirm", reference)[2]
    (tmp_path / "password").write_text(PASSWORD)
    user = ("--role", "approver", "--password-file", str(tmp_path / "password"))
    assert hearth("users", "add", "approver", *user)[0] == 0
    assert hearth("placement", "confirm", reference, "--as", "approver")[0] == 0
    assert f"{reference}  confirmed" in hearth("placement", "list")[1]
    assert hearth("placement", "lift", reference, "--reason", "They moved.")[0] == 0
    assert reference not in hearth("placement", "list")[1]
    assert hearth("placement", "lift", reference, "--reason", "Again.")[0] == 1
