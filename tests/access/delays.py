"""Delays of a second, which a slow test would miss, made long."""

from datetime import timedelta

from sqlalchemy import update

from app.access.models import Throttle
from app.database import Database, utc_now


def draw_out_delays(database: Database) -> None:
    """Make every delay that has begun last an hour from now."""
    until = utc_now() + timedelta(hours=1)
    with database.session(writes=True) as session:
        session.execute(update(Throttle).where(Throttle.closed_until.is_not(None)).values(closed_until=until))
