"""What a run would have given if something had been otherwise: asked for, and answered by a worker."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.allocation.models import Run
from app.database import NOT_AUDITED, NOT_PERSONAL, Base, enum_column, reference_column, unique_where, utc_now
from app.registry.models import Household


class WhatIfKind(StrEnum):
    """What is asked."""

    SMALLEST_CHANGE = "smallest_change"
    CORRECTION = "correction"


class WhatIfState(StrEnum):
    """Where the answer is on its way."""

    QUEUED = "queued"
    SOLVING = "solving"
    DONE = "done"
    FAILED = "failed"


class WhatIf(Base):
    """A question to a run about one household: what smallest change would have housed it, or what with other facts.

    `given`: the household's corrected facts, as JSON; `found`: the answer. Neither names another household. Without a
    proposal where the household was signed as ineligible before the run.
    """

    __tablename__ = "what_ifs"
    __table_args__ = (
        unique_where("uq_what_ifs_smallest_change", "proposal_id", "kind = 'smallest_change' AND state <> 'failed'"),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
        CheckConstraint("(state = 'done') = (found IS NOT NULL)", name="found"),
    )

    reference: Mapped[str] = reference_column("WI")
    kind: Mapped[WhatIfKind] = mapped_column(enum_column(WhatIfKind), info=NOT_PERSONAL)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), info=NOT_PERSONAL)
    proposal_id: Mapped[int | None] = mapped_column(
        ForeignKey("proposals.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL
    )
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    state: Mapped[WhatIfState] = mapped_column(enum_column(WhatIfState), index=True, info=NOT_PERSONAL)
    given: Mapped[dict[str, Any]] = mapped_column(JSON)
    found: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    failure: Mapped[str | None] = mapped_column(String(500))
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    claim: Mapped[str | None] = mapped_column(String(32), info=NOT_AUDITED)
    attempts: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[datetime | None] = mapped_column(info=NOT_AUDITED)
    answered_at: Mapped[datetime | None]

    run: Mapped[Run] = relationship(lazy="raise")
    household: Mapped[Household] = relationship(lazy="raise")
