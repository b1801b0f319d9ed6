"""The keyring: what it encrypts only it can read, in its place, with any key it ever had."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import keys
from app.errors import Conflict
from app.keys import Keyring, Unreadable, key_of
from app.settings import Settings
from tests.concurrency import at_once

PLACE = "people.national_id:PE-7K3M9QTX"


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return keys.make(tmp_path / "keys.json")


@given(text=st.text(max_size=80), place=st.text(max_size=40), other=st.text(max_size=40))
def test_a_text_is_read_where_it_was_written_and_nowhere_else(text: str, place: str, other: str) -> None:
    sealed = keys.keyring().encrypt(text, place)
    assert keys.keyring().decrypt(sealed, place) == text
    if other != place:
        with pytest.raises(Unreadable, match="belongs elsewhere"):
            keys.keyring().decrypt(sealed, other)


@given(position=st.integers(0, 56), letter=st.sampled_from("ABCabc019-_=.!"))
def test_a_text_that_was_altered_is_not_read(position: int, letter: str) -> None:
    sealed = keys.keyring().encrypt("K4821907", PLACE)
    altered = sealed[:position] + letter + sealed[position + 1 :]
    if altered != sealed:
        with pytest.raises(Unreadable):
            keys.keyring().decrypt(altered, PLACE)


def test_the_same_text_is_never_encrypted_to_the_same(keyring: Keyring) -> None:
    assert keyring.encrypt("K4821907", PLACE) != keyring.encrypt("K4821907", PLACE)


def test_an_index_finds_equal_texts_of_one_column_in_one_installation(keyring: Keyring, tmp_path: Path) -> None:
    index = keyring.index("k4821907", "people.national_id")
    assert index == Keyring(keyring.path).index("k4821907", "people.national_id")
    assert index != keyring.index("k4821908", "people.national_id")
    assert index != keyring.index("k4821907", "households.phone")
    assert index != keys.make(tmp_path / "other.json").index("k4821907", "people.national_id")


def test_a_new_key_is_used_from_then_on_and_the_old_one_still_reads(keyring: Keyring) -> None:
    elsewhere = Keyring(keyring.path)
    before = elsewhere.encrypt("K4821907", PLACE)
    index = elsewhere.index("k4821907", "people.national_id")
    added = keyring.add()
    after = elsewhere.encrypt("K4821907", PLACE)
    assert key_of(before) != key_of(after) == added.id == elsewhere.current.id
    assert {elsewhere.decrypt(each, PLACE) for each in (before, after)} == {"K4821907"}
    assert elsewhere.index("k4821907", "people.national_id") == index
    assert [key.id for key in elsewhere.keys] == [key_of(before), added.id]


def test_two_who_add_a_key_at_once_both_do(keyring: Keyring) -> None:
    at_once(*[Keyring(keyring.path).add] * 6)
    assert len({key.id for key in keyring.keys}) == 7


def test_a_text_whose_key_is_gone_says_which_file_to_put_back(keyring: Keyring, tmp_path: Path) -> None:
    sealed = keyring.encrypt("K4821907", PLACE)
    with pytest.raises(Unreadable, match=f"{key_of(sealed)}.*Put back"):
        keys.make(tmp_path / "other.json").decrypt(sealed, PLACE)


def test_only_its_owner_reads_the_file(keyring: Keyring) -> None:
    keyring.add()
    assert stat.S_IMODE(keyring.path.stat().st_mode) == 0o600
    assert {path.name for path in keyring.path.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_a_keyring_is_never_made_over_another(keyring: Keyring) -> None:
    before = keyring.path.read_bytes()
    with pytest.raises(Conflict, match="rotate"):
        keys.make(keyring.path)
    assert keyring.path.read_bytes() == before


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": "hearth-keys/2"}', '{"format": "hearth-keys/1", "keys": [{"id": 1}]}']
)
def test_another_file_is_no_keyring(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Unreadable, match="no keyring"):
        Keyring(path)


def test_a_keyring_that_vanishes_is_missed_at_once(keyring: Keyring) -> None:
    keyring.path.unlink()
    with pytest.raises(Unreadable, match="Put the file back"):
        keyring.encrypt("K4821907", PLACE)


def _settings(monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    monkeypatch.delenv("HEARTH_KEYS_FILE")
    for name, value in given.items():
        monkeypatch.setenv(f"HEARTH_{name.upper()}", value)
    return Settings()


def test_the_embedded_database_makes_its_keyring_at_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(monkeypatch, data_dir=str(tmp_path / "var"))
    made = at_once(*[lambda: keys.opened(settings).current.id] * 6)
    assert len(set(made)) == 1
    assert stat.S_IMODE(settings.keyring.stat().st_mode) == 0o600
    assert [each.name for each in (tmp_path / "var").iterdir()] == ["keys.json"]
    assert len(json.loads(settings.keyring.read_text(encoding="utf-8"))["keys"]) == 1


@pytest.mark.parametrize("shared", [{"database_url": "postgresql://somewhere/hearth"}, {"keys_file": "elsewhere.json"}])
def test_a_shared_keyring_is_not_made_by_whoever_misses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = _settings(monkeypatch, data_dir=str(tmp_path), **shared)
    with pytest.raises(Unreadable, match="hearth keys make"):
        keys.opened(settings)
    assert list(tmp_path.iterdir()) == []
