"""Checking a proof bundle from its bytes alone: every file that is not what it should be is named."""

import re
import zipfile
from collections.abc import Iterator
from hashlib import sha256 as digest
from io import BytesIO
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.allocation import proof
from app.allocation.bundle import FORMAT, MEMBERS, SUMS, shipped
from app.allocation.draw import addresses, lottery_numbers
from app.allocation.models import APPROVED
from app.allocation.report import proof_line
from app.allocation.snapshot import Snapshot
from app.archives import ARCHIVE_ERRORS
from app.errors import Invalid
from solver import Solution, canonical_json

MOST_BYTES = 512 * 1024 * 1024
"""Of all files of a bundle, unpacked: ten times what a hundred thousand households take."""
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9.]+)\n")
Members = dict[str, bytes]


class _RunFile(BaseModel):
    """`run.json`, of a run that has a solution. What of it follows from no other document can only be possible."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: str
    run: str = Field(pattern=r"^RUN-[0-9A-Z]{8}$")
    state: Literal["proposed", "drawn", "offers_issued", "rejected"]
    published_at: AwareDatetime
    snapshot_sha256: str
    seed: str = Field(min_length=1)
    seed_source: str
    seed_is_public: bool
    seed_entered_at: AwareDatetime | None
    time_limit_seconds: int = Field(ge=1)
    versions: dict[str, str]

    @model_validator(mode="after")
    def _entered_after_the_hash(self) -> Self:
        if self.seed_is_public != (self.seed_entered_at is not None):
            raise ValueError("a public seed is entered, and no other")
        if self.seed_entered_at is not None and self.seed_entered_at < self.published_at:
            raise ValueError("the seed was entered before the hash was published")
        return self


class _DrawFile(BaseModel):
    """`draw.json`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    lottery: dict[str, int]
    addresses: dict[str, str] | None


def read(content: bytes, most_bytes: int = MOST_BYTES) -> Members:
    """Return the files of a bundle. Raises Invalid for what is no bundle, or would unpack to more than `most_bytes`."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as bundle:
            names = [entry.filename for entry in bundle.infolist()]
            wanted = sorted([*MEMBERS, SUMS])
            if sorted(names) != wanted:
                odd = sorted({*names} ^ {*wanted}) or sorted(name for name in names if names.count(name) > 1)
                raise Invalid(f"This is no proof bundle: {', '.join(odd[:5])} is missing, unknown or there twice.")
            members, left = {}, most_bytes
            for name in names:
                with bundle.open(name) as member:  # what it says of its size is not believed
                    members[name] = member.read(left + 1)
                left -= len(members[name])
                if left < 0:
                    raise Invalid(f"This bundle unpacks to more than {most_bytes:,} bytes. It was not read.")
            return members
    except ARCHIVE_ERRORS as error:
        raise Invalid(f"This is no proof bundle: {error}.") from error


def faults(members: Members, published: str | None = None, seed: str | None = None) -> list[str]:
    """Return what is wrong, each sentence naming the file; empty where all holds.

    `published`: the hash that was published before the seed was known; without it, only that the bundle agrees with
    itself can be told. `seed`: what the announced source gave.
    """
    found = list(_wrong_sums(members))
    texts = {name: content.decode("utf-8", errors="replace") for name, content in members.items()}
    try:
        run = _RunFile.model_validate_json(texts["run.json"])
        if run.format != FORMAT:
            found.append(f"run.json: its format is {run.format!r}, not {FORMAT!r}.")
    except ValidationError as error:
        return [*found, f"run.json: {_said(error)}."]
    if published is not None and published.lower() != digest(members["snapshot.json"]).hexdigest():
        found.append("snapshot.json: its SHA-256 is not the one that was published.")
    if seed is not None and seed != run.seed:
        found.append(f"run.json: its seed is {run.seed!r}, not {seed!r}.")
    documents = proof.Documents(
        run.run, texts["snapshot.json"], run.snapshot_sha256, run.seed, texts["problem.json"], texts["solution.json"]
    )
    try:
        found += proof.faults_of(documents)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [*found, f"snapshot.json, problem.json or solution.json cannot be read: {_said(error)}."]
    snapshot, solution = (
        Snapshot.model_validate_json(texts["snapshot.json"]),
        Solution.from_json(texts["solution.json"]),
    )
    if run.versions != dict(solution.statistics.versions):
        found.append("run.json: its versions are not those of solution.json.")
    for name, text in shipped(run.run, solution).items():
        if members[name] != text.encode():
            found.append(f"{name}: it is not the one that Hearth ships.")
    found += _wrong_policy(snapshot, texts["policy.json"])
    return found + list(_wrong_draw(run, snapshot, solution, texts["draw.json"]))


def summary(members: Members) -> str:
    """Return what a bundle without faults proves, and what it only says and others must be asked about."""
    run = _RunFile.model_validate_json(members["run.json"])
    solution = Solution.from_json(members["solution.json"].decode())
    source = f"{run.seed_source!r}" if run.seed_is_public else "the service itself, where nobody can look it up"
    return (
        f"{run.run}: {proof_line(solution, digest(members['problem.json']).hexdigest())}.\n"
        f"By its own account the run is {run.state}, its snapshot was published at {run.published_at.isoformat()}, "
        f"and its seed is {run.seed!r}, from {source}. Compare that with what was published."
    )


def _wrong_sums(members: Members) -> Iterator[str]:
    stated = {name: sha256 for sha256, name in LINE.findall(members[SUMS].decode("ascii", errors="replace"))}
    for name in MEMBERS:
        if name not in stated:
            yield f"{SUMS}: {name} is not in it."
        elif stated[name] != digest(members[name]).hexdigest():
            yield f"{name}: it is not the file whose SHA-256 is in {SUMS}."


def _wrong_policy(snapshot: Snapshot, text: str) -> list[str]:
    # The document as it was, and not read into today's policy: what came to the format later is not in it.
    canonical = canonical_json.dumps(snapshot.policy.document)
    found = [] if text == canonical else ["policy.json: it is not the policy in the snapshot."]
    if digest(canonical.encode()).hexdigest() != snapshot.policy.sha256:
        found.append("snapshot.json: its policy is not the one whose SHA-256 it states.")
    return found


def _wrong_draw(run: _RunFile, snapshot: Snapshot, solution: Solution, text: str) -> Iterator[str]:
    try:
        draw = _DrawFile.model_validate_json(text)
    except ValidationError as error:
        yield f"draw.json: {_said(error)}."
        return
    if draw.lottery != lottery_numbers(run.seed, run.run, (row["id"] for row in snapshot.problem["households"])):
        yield "draw.json: the lottery numbers are not what the seed gives."
    if (draw.addresses is not None) != (run.state in APPROVED):
        yield f"draw.json: the run is {run.state} and there are {'no ' if draw.addresses is None else ''}addresses."
    if draw.addresses is None:
        return
    houses = {part.id: part.houses for part in snapshot.house_classes}
    try:
        given = addresses(run.seed, run.run, solution.assignments, houses, snapshot.kept)
    except (ValueError, KeyError) as error:
        yield f"solution.json: it cannot be drawn: {error}."
        return
    for household in sorted(given.keys() | draw.addresses.keys()):
        if given.get(household) != draw.addresses.get(household):
            yield f"draw.json: {household} has {draw.addresses.get(household)}; the seed gives {given.get(household)}."


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    return str(error) or type(error).__name__
