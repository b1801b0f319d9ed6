"""Where one household is to live, or not, by decision; and what that costs a run."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "placements"
down_revision: str | None = "offers"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LIVE = "state <> 'lifted'"
PLACES = f"{LIVE} AND kind <> 'forbid'"


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _unique(name: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "placements", [column], unique=True, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "placements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("kind", _enum("placementkind", "pin", "house", "forbid"), nullable=False),
        sa.Column("settlement_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("step_free", sa.Boolean(), nullable=True),
        sa.Column("house_id", sa.Integer(), nullable=True),
        sa.Column(
            "reason",
            _enum(
                "placementreason",
                *("medical", "safety", "family_unity", "court_order", "accessibility", "work", "other"),
            ),
            nullable=False,
        ),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("state", _enum("placementstate", "requested", "confirmed", "lifted"), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_id", sa.Integer(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by_id", sa.Integer(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_id", sa.Integer(), nullable=True),
        sa.Column("lift_reason", sa.String(length=500), nullable=True),
        sa.CheckConstraint("(kind = 'house') = (house_id IS NOT NULL)", name=op.f("ck_placements_house_is_named")),
        sa.CheckConstraint("(kind = 'pin') = (size IS NOT NULL)", name=op.f("ck_placements_pin_has_size")),
        sa.CheckConstraint("(size IS NULL) = (step_free IS NULL)", name=op.f("ck_placements_size_with_access")),
        sa.CheckConstraint(
            "(state = 'lifted') = (lift_reason IS NOT NULL)", name=op.f("ck_placements_lifted_with_reason")
        ),
        sa.CheckConstraint("state <> 'confirmed' OR confirmed_at IS NOT NULL", name=op.f("ck_placements_confirmed")),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["users.id"], name=op.f("fk_placements_confirmed_by_id")),
        sa.ForeignKeyConstraint(["house_id"], ["houses.id"], name=op.f("fk_placements_house_id")),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_placements_household_id")),
        sa.ForeignKeyConstraint(["lifted_by_id"], ["users.id"], name=op.f("fk_placements_lifted_by_id")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["users.id"], name=op.f("fk_placements_requested_by_id")),
        sa.ForeignKeyConstraint(["settlement_id"], ["settlements.id"], name=op.f("fk_placements_settlement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placements")),
        sa.UniqueConstraint("reference", name=op.f("uq_placements_reference")),
    )
    for column in ("household_id", "settlement_id", "state"):
        op.create_index(op.f(f"ix_placements_{column}"), "placements", [column], unique=False)
    _unique("uq_placements_placed_household", "household_id", PLACES)
    _unique("uq_placements_kept_house", "house_id", LIVE)
    op.add_column("runs", sa.Column("placement_prices", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("runs", "placement_prices")
    op.drop_table("placements")
