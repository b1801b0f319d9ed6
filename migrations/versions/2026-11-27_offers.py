"""Offers, when gates were closed, and runs whose offers are issued."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "offers"
down_revision: str | None = "grounds"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


STATES = ("awaiting_seed", "queued", "solving", "proposed", "drawn", "rejected", "failed", "cancelled")


def _allow_run_states(*states: str) -> None:
    """Make these the states that a run may be in."""
    allowed = f"state IN ({', '.join(repr(state) for state in states)})"
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_runs_runstate"), type_="check")
        batch_op.create_check_constraint(op.f("ck_runs_runstate"), sa.text(allowed))


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "gate_closures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("settlement_id", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["settlement_id"], ["settlements.id"], name=op.f("fk_gate_closures_settlement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_closures")),
    )
    with op.batch_alter_table("gate_closures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gate_closures_settlement_id"), ["settlement_id"], unique=False)
        batch_op.create_index(
            "uq_gate_closures_open",
            ["settlement_id"],
            unique=True,
            sqlite_where=sa.text("opened_at IS NULL"),
            postgresql_where=sa.text("opened_at IS NULL"),
        )

    op.create_table(
        "offers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("house_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "issued",
                "accepted",
                "declined",
                "expired",
                "withdrawn",
                name="offerstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by_id", sa.Integer(), nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column(
            "given_how",
            sa.Enum(
                "in_person",
                "telephone",
                "in_writing",
                "representative",
                name="givenhow",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        sa.Column(
            "decline_reason",
            sa.Enum(
                "too_far",
                "too_small",
                "not_accessible",
                "kin_elsewhere",
                "no_work",
                "health_care",
                "school",
                "safety",
                "not_ready_to_return",
                "other",
                name="declinereason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("end_reason", sa.String(length=600), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_again_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'declined') = (decline_reason IS NOT NULL)", name=op.f("ck_offers_decline_reason")
        ),
        sa.CheckConstraint("(state = 'withdrawn') = (end_reason IS NOT NULL)", name=op.f("ck_offers_end_reason")),
        sa.CheckConstraint("state <> 'issued' OR ended_at IS NULL", name=op.f("ck_offers_issued_goes_on")),
        sa.CheckConstraint("state IN ('issued', 'accepted') OR ended_at IS NOT NULL", name=op.f("ck_offers_ended")),
        sa.CheckConstraint(
            "state NOT IN ('accepted', 'declined') OR answered_on IS NOT NULL", name=op.f("ck_offers_answered")
        ),
        sa.CheckConstraint("(answered_on IS NULL) = (given_how IS NULL)", name=op.f("ck_offers_answer")),
        sa.ForeignKeyConstraint(["answered_by_id"], ["users.id"], name=op.f("fk_offers_answered_by_id")),
        sa.ForeignKeyConstraint(["house_id"], ["houses.id"], name=op.f("fk_offers_house_id")),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_offers_household_id")),
        sa.ForeignKeyConstraint(["issued_by_id"], ["users.id"], name=op.f("fk_offers_issued_by_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"], name=op.f("fk_offers_proposal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_offers_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_offers_proposal_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_offers_reference")),
    )
    with op.batch_alter_table("offers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offers_household_id"), ["household_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_offers_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_offers_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_offers_live_house",
            ["house_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "uq_offers_live_household",
            ["household_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.add_column("proposals", sa.Column("is_firm", sa.Boolean(), server_default=sa.false(), nullable=False))
    _allow_run_states(*STATES, "offers_issued")


def downgrade() -> None:
    """Undo."""
    op.execute("UPDATE runs SET state = 'drawn' WHERE state = 'offers_issued'")
    _allow_run_states(*STATES)
    op.drop_column("proposals", "is_firm")

    with op.batch_alter_table("offers", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_offers_live_household",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(
            "uq_offers_live_house",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_offers_state"))
        batch_op.drop_index(batch_op.f("ix_offers_run_id"))
        batch_op.drop_index(batch_op.f("ix_offers_household_id"))

    op.drop_table("offers")
    with op.batch_alter_table("gate_closures", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_gate_closures_open",
            sqlite_where=sa.text("opened_at IS NULL"),
            postgresql_where=sa.text("opened_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_gate_closures_settlement_id"))

    op.drop_table("gate_closures")
