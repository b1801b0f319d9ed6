"""Appeals: until when a family may appeal, and by when that is decided."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from app.policy.frozen import Frozen

Days = Annotated[int, Field(strict=True, ge=1, le=365)]


class AppealRules(Frozen):
    """Days, counted from the day after: for an appeal, from when the family was told; for its decision, from then."""

    lodge_within_days: Days = 30
    decide_within_days: Days = 30

    def lodged_by(self, told_on: date) -> date:
        """Return the last day for an appeal against what a family was told on a day."""
        return told_on + timedelta(days=self.lodge_within_days)

    def decided_by(self, lodged_on: date) -> date:
        """Return the last day for the decision of an appeal that was lodged on a day."""
        return lodged_on + timedelta(days=self.decide_within_days)
