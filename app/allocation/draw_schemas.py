"""Seeds and what is published of runs, as they go over the wire."""

from datetime import datetime
from typing import Self

from pydantic import Field

from app.allocation.models import Run, RunState
from app.fields import Name, Wire


class SeedNew(Wire):
    """The seed of a run that waits for it."""

    seed: Name = Field(
        description="As it was published by the announced source.", min_length=1, examples=["4 17 23 31 38 44"]
    )


class DrawRead(Wire):
    """What anybody may know of a run: what was fixed before its seed, and the seed."""

    reference: str = Field(description="Public reference of the run.", examples=["RUN-7K3M9QTX"])
    state: RunState = Field(description="Where the run is on its way.")
    settlements: list[str] = Field(description="Names of the settlements it allocates.")
    published_at: datetime = Field(description="When the snapshot was frozen and its hash published here.")
    snapshot_sha256: str = Field(description="SHA-256 of the frozen snapshot: everything that decides but the seed.")
    seed_source: str = Field(description="Where the seed comes from, as announced with the hash.")
    seed_is_public: bool = Field(description="Whether anyone can look the seed up elsewhere.")
    seed: str | None = Field(description="The seed, where it is public and has been entered.")
    seed_entered_at: datetime | None = Field(description="When it was entered.")

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return what is published of a run, whose settlements must be loaded."""
        own = ("reference", "state", "snapshot_sha256", "seed_source", "seed_is_public", "seed_entered_at")
        return cls(
            **{name: getattr(run, name) for name in own},
            settlements=[part.settlement.name for part in run.settlements],
            published_at=run.requested_at,
            seed=run.seed if run.seed_is_public else None,
        )
