"""The proof bundle of a run: one zip with everything that anybody needs to check it, and no database."""

import json
import zipfile
from hashlib import sha256 as digest
from importlib import resources
from io import BytesIO
from shlex import quote
from textwrap import indent
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.allocation.models import APPROVED, Proposal, Run
from app.allocation.snapshot import Snapshot
from app.audit.recording import moment
from app.errors import Conflict
from solver import Solution, canonical_json

FORMAT = "hearth-bundle/1"
SUMS = "SHA256SUMS"
MEMBERS = (
    "README.md",
    "draw.json",
    "draw.py",
    "policy.json",
    "problem.json",
    "run.json",
    "snapshot.json",
    "solution.json",
)
"""What a bundle holds beside the sums."""
WRITTEN_AT = (1980, 1, 1, 0, 0, 0)
"""The same bytes whenever it is written: a zip knows no earlier moment."""
LEVEL = 6


def write(session: Session, run: Run) -> bytes:
    """Return the bundle of a solved run, loaded with its documents: the same bytes for the same run.

    Raises Conflict where there is no solution to prove.
    """
    if run.solution is None or run.problem is None or run.seed is None:
        raise Conflict(f"Run {run.reference} is {run.state.value} and has no solution to prove.")
    snapshot, solution = Snapshot.model_validate_json(run.snapshot), Solution.from_json(run.solution)
    draw = {
        "lottery": {row["id"]: row.get("lottery", 0) for row in json.loads(run.problem)["households"]},
        "addresses": _addresses(session, run) if run.state in APPROVED else None,
    }
    texts = {
        "run.json": _json(_run(run, solution)),
        "policy.json": _json(snapshot.policy.document),
        "snapshot.json": run.snapshot,
        "problem.json": run.problem,
        "solution.json": run.solution,
        "draw.json": _json(draw),
        **shipped(run.reference, solution),
    }
    return sealed({name: text.encode() for name, text in texts.items()})


def shipped(run: str, solution: Solution) -> dict[str, str]:
    """Return the files that are the service's own words: what an outside checker is told, and what it is told to run.

    They belong to the format: bundles are held to them, so whoever changes one makes another format.
    """
    draw = _text("draw.py")
    said = _text("README.md").format(run=run, check=check_command(solution), draw=indent(draw, "    ").rstrip())
    return {"draw.py": draw, "README.md": said}


def sealed(members: dict[str, bytes]) -> bytes:
    """Return the zip of `members` and of the sums over them, the names in order."""
    lines = [f"{digest(members[name]).hexdigest()}  {name}\n" for name in sorted(members)]
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        for name, member in sorted({**members, SUMS: "".join(lines).encode()}.items()):
            entry = zipfile.ZipInfo(name, WRITTEN_AT)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            bundle.writestr(entry, member, compresslevel=LEVEL)
    return content.getvalue()


def check_command(solution: Solution) -> str:
    """Return the command that checks the solution; where its stages are not the model's own, they are part of it."""
    command = "python -m solver check problem.json solution.json"
    own = [stage.name for stage in solution.stages]
    tiers = [name for name in own if name.startswith("tier ")]
    if own == [*tiers, "points", "value"] and all(
        stage.terms is None and stage.final is None for stage in solution.stages
    ):
        return command
    stages = []
    for stage in solution.stages:
        terms = " + ".join(term if weight == 1 else f"{weight} {term}" for term, weight in stage.counts.items())
        lost = stage.achieved - stage.kept
        stages.append(f"{stage.name}: {terms}" + (f", may lose {lost}" if lost else ""))
    return " ".join([command, *(f"--stage {quote(stage)}" for stage in stages)])


def _run(run: Run, solution: Solution) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "run": run.reference,
        "state": run.state.value,
        "published_at": moment(run.requested_at),
        "snapshot_sha256": run.snapshot_sha256,
        "seed": run.seed,
        "seed_source": run.seed_source,
        "seed_is_public": run.seed_is_public,
        "seed_entered_at": moment(run.seed_entered_at) if run.seed_entered_at else None,
        "time_limit_seconds": run.time_limit_seconds,
        "versions": dict(solution.statistics.versions),
    }


def _addresses(session: Session, run: Run) -> dict[str, str]:
    """Return household → house as the draw gave it, whatever became of that."""
    drawn = session.scalars(
        select(Proposal)
        .where(Proposal.run_id == run.id, Proposal.house_class.is_not(None), Proposal.house_id.is_not(None))
        .options(joinedload(Proposal.household), joinedload(Proposal.house))
    )
    return {each.household.reference: each.house.reference for each in drawn if each.house is not None}


def _json(document: dict[str, Any]) -> str:
    return canonical_json.dumps(document)


def _text(name: str) -> str:
    return resources.files("app.allocation").joinpath("bundled", f"{name}.txt").read_text("utf-8")
