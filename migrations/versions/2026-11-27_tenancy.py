"""Keys, titles, occupancy checks and swaps."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "tenancy"
down_revision: str | None = "moves"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


ENDS = (
    "own_home",
    "with_relatives",
    "work_elsewhere",
    "health_care",
    "school",
    "safety",
    "house_unfit",
    "transfer",
    "death",
    "never_moved_in",
    "other",
)
# Of tenancies that go on: the head, and whoever is the head's partner or spouse.
HOLDERS = """
INSERT INTO tenancy_holders (tenancy_id, person_id)
SELECT tenancies.id, people.id FROM tenancies JOIN people ON people.household_id = tenancies.household_id
WHERE tenancies.moved_out_on IS NULL AND (
    people.relationship IN ('head', 'spouse')
    OR people.partner_id IN (
        SELECT head.id FROM people AS head
        WHERE head.household_id = people.household_id AND head.relationship = 'head'
    )
)
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "swap_cycles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "proposed",
                "done",
                "fell_apart",
                name="swapcyclestate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("end_reason", sa.String(length=600), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(state = 'fell_apart') = (end_reason IS NOT NULL)", name=op.f("ck_swap_cycles_end_reason")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name=op.f("fk_swap_cycles_decided_by_id")),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["users.id"], name=op.f("fk_swap_cycles_proposed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swap_cycles")),
        sa.UniqueConstraint("reference", name=op.f("uq_swap_cycles_reference")),
    )
    with op.batch_alter_table("swap_cycles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_swap_cycles_state"), ["state"], unique=False)

    op.create_table(
        "occupancy_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("house_id", sa.Integer(), nullable=False),
        sa.Column("tenancy_id", sa.Integer(), nullable=True),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.Column(
            "finding",
            sa.Enum(
                "expected_family",
                "empty",
                "someone_else",
                "unfit",
                "no_access",
                name="finding",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["house_id"], ["houses.id"], name=op.f("fk_occupancy_checks_house_id")),
        sa.ForeignKeyConstraint(["recorded_by_id"], ["users.id"], name=op.f("fk_occupancy_checks_recorded_by_id")),
        sa.ForeignKeyConstraint(["tenancy_id"], ["tenancies.id"], name=op.f("fk_occupancy_checks_tenancy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occupancy_checks")),
        sa.UniqueConstraint("reference", name=op.f("uq_occupancy_checks_reference")),
    )
    with op.batch_alter_table("occupancy_checks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_occupancy_checks_house_id"), ["house_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_occupancy_checks_tenancy_id"), ["tenancy_id"], unique=False)

    op.create_table(
        "swap_wishes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("tenancy_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open", "done", "withdrawn", name="swapwishstate", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_by_id", sa.Integer(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_swap_wishes_household_id")),
        sa.ForeignKeyConstraint(["registered_by_id"], ["users.id"], name=op.f("fk_swap_wishes_registered_by_id")),
        sa.ForeignKeyConstraint(["tenancy_id"], ["tenancies.id"], name=op.f("fk_swap_wishes_tenancy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swap_wishes")),
        sa.UniqueConstraint("reference", name=op.f("uq_swap_wishes_reference")),
    )
    with op.batch_alter_table("swap_wishes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_swap_wishes_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_swap_wishes_tenancy_id"), ["tenancy_id"], unique=False)
        batch_op.create_index(
            "uq_swap_wishes_open",
            ["household_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "tenancy_holders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenancy_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("opted_out_reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_tenancy_holders_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenancy_id"], ["tenancies.id"], name=op.f("fk_tenancy_holders_tenancy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenancy_holders")),
        sa.UniqueConstraint("tenancy_id", "person_id", name=op.f("uq_tenancy_holders_tenancy_id_person_id")),
    )
    with op.batch_alter_table("tenancy_holders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tenancy_holders_person_id"), ["person_id"], unique=False)

    op.create_table(
        "swap_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle_id", sa.Integer(), nullable=False),
        sa.Column("wish_id", sa.Integer(), nullable=False),
        sa.Column("from_house_id", sa.Integer(), nullable=False),
        sa.Column("to_house_id", sa.Integer(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
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
        sa.Column("confirmed_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("(confirmed_on IS NULL) = (given_how IS NULL)", name=op.f("ck_swap_moves_confirmed")),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["users.id"], name=op.f("fk_swap_moves_confirmed_by_id")),
        sa.ForeignKeyConstraint(
            ["cycle_id"], ["swap_cycles.id"], name=op.f("fk_swap_moves_cycle_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["from_house_id"], ["houses.id"], name=op.f("fk_swap_moves_from_house_id")),
        sa.ForeignKeyConstraint(["to_house_id"], ["houses.id"], name=op.f("fk_swap_moves_to_house_id")),
        sa.ForeignKeyConstraint(["wish_id"], ["swap_wishes.id"], name=op.f("fk_swap_moves_wish_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swap_moves")),
        sa.UniqueConstraint("cycle_id", "to_house_id", name=op.f("uq_swap_moves_cycle_id_to_house_id")),
        sa.UniqueConstraint("cycle_id", "wish_id", name=op.f("uq_swap_moves_cycle_id_wish_id")),
    )
    with op.batch_alter_table("swap_moves", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_swap_moves_cycle_id"), ["cycle_id"], unique=False)
        batch_op.create_index(
            "uq_swap_moves_live_wish",
            ["wish_id"],
            unique=True,
            sqlite_where=sa.text("is_live"),
            postgresql_where=sa.text("is_live"),
        )

    op.create_table(
        "swap_options",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("wish_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("house_id", sa.Integer(), nullable=True),
        sa.Column("settlement_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("(house_id IS NULL) <> (settlement_id IS NULL)", name=op.f("ck_swap_options_one_of_both")),
        sa.ForeignKeyConstraint(["house_id"], ["houses.id"], name=op.f("fk_swap_options_house_id")),
        sa.ForeignKeyConstraint(["settlement_id"], ["settlements.id"], name=op.f("fk_swap_options_settlement_id")),
        sa.ForeignKeyConstraint(
            ["wish_id"], ["swap_wishes.id"], name=op.f("fk_swap_options_wish_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swap_options")),
        sa.UniqueConstraint("wish_id", "rank", name=op.f("uq_swap_options_wish_id_rank")),
    )
    op.add_column("tenancies", sa.Column("keys_given_on", sa.Date(), nullable=True))
    op.add_column("tenancies", sa.Column("received_by_id", sa.Integer(), nullable=True))
    op.add_column("tenancies", sa.Column("representative", sa.String(length=200), nullable=True))
    op.add_column("tenancies", sa.Column("ended_for", sa.String(length=40), nullable=True))
    op.execute("UPDATE tenancies SET keys_given_on = moved_in_on")
    op.execute("UPDATE tenancies SET ended_for = 'other' WHERE moved_out_on IS NOT NULL")
    op.execute(HOLDERS)
    with op.batch_alter_table("tenancies", schema=None) as batch_op:
        batch_op.alter_column("keys_given_on", existing_type=sa.Date(), nullable=False)
        batch_op.alter_column("moved_in_on", existing_type=sa.Date(), nullable=True)
        batch_op.create_foreign_key(
            op.f("fk_tenancies_received_by_id"), "people", ["received_by_id"], ["id"], ondelete="SET NULL"
        )
        ends = f"ended_for IN ({', '.join(map(repr, ENDS))})"
        batch_op.create_check_constraint(op.f("ck_tenancies_tenancyend"), sa.text(ends))
        batch_op.create_check_constraint(
            op.f("ck_tenancies_keys_first"),
            sa.text("keys_given_on <= COALESCE(moved_in_on, moved_out_on, keys_given_on)"),
        )
        batch_op.create_check_constraint(
            op.f("ck_tenancies_ended_for"), sa.text("(moved_out_on IS NULL) = (ended_for IS NULL)")
        )


def downgrade() -> None:
    """Undo."""
    op.execute("UPDATE tenancies SET moved_in_on = keys_given_on WHERE moved_in_on IS NULL")
    with op.batch_alter_table("tenancies", schema=None) as batch_op:
        for name in ("ended_for", "keys_first", "tenancyend"):
            batch_op.drop_constraint(op.f(f"ck_tenancies_{name}"), type_="check")
        batch_op.drop_constraint(op.f("fk_tenancies_received_by_id"), type_="foreignkey")
        batch_op.alter_column("moved_in_on", existing_type=sa.Date(), nullable=False)
        for name in ("ended_for", "representative", "received_by_id", "keys_given_on"):
            batch_op.drop_column(name)
    op.drop_table("swap_options")
    with op.batch_alter_table("swap_moves", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_swap_moves_live_wish", sqlite_where=sa.text("is_live"), postgresql_where=sa.text("is_live")
        )
        batch_op.drop_index(batch_op.f("ix_swap_moves_cycle_id"))

    op.drop_table("swap_moves")
    with op.batch_alter_table("tenancy_holders", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tenancy_holders_person_id"))

    op.drop_table("tenancy_holders")
    with op.batch_alter_table("swap_wishes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_swap_wishes_open", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )
        batch_op.drop_index(batch_op.f("ix_swap_wishes_tenancy_id"))
        batch_op.drop_index(batch_op.f("ix_swap_wishes_state"))

    op.drop_table("swap_wishes")
    with op.batch_alter_table("occupancy_checks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_occupancy_checks_tenancy_id"))
        batch_op.drop_index(batch_op.f("ix_occupancy_checks_house_id"))

    op.drop_table("occupancy_checks")
    with op.batch_alter_table("swap_cycles", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_swap_cycles_state"))

    op.drop_table("swap_cycles")
