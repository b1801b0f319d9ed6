"""Numbers of identity documents and telephone numbers, encrypted."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.errors import Conflict
from app.keys import keyring
from app.sealed import Normalised, dialled, letters_and_digits

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS: tuple[tuple[str, str, int, Normalised], ...] = (
    ("people", "national_id", 80, letters_and_digits),
    ("households", "phone", 40, dialled),
)


def upgrade() -> None:
    """Apply. Fails, and changes nothing, when two people have the same number: which of them is right, people decide."""
    for name, column, _, normalised in COLUMNS:
        op.add_column(name, sa.Column(f"{column}_sealed", sa.Text(), nullable=True))
        op.add_column(name, sa.Column(f"{column}_index", sa.String(length=64), nullable=True))
        _encrypt(name, column, normalised)
        op.drop_column(name, column)
    op.create_index(op.f("ix_people_national_id_index"), "people", ["national_id_index"], unique=True)
    op.create_index(op.f("ix_households_phone_index"), "households", ["phone_index"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_households_phone_index"), "households")
    op.drop_index(op.f("ix_people_national_id_index"), "people")
    for name, column, length, _ in COLUMNS:
        op.add_column(name, sa.Column(column, sa.String(length=length), nullable=True))
        _decrypt(name, column)
        op.drop_column(name, f"{column}_index")
        op.drop_column(name, f"{column}_sealed")


def _table(name: str, column: str) -> sa.TableClause:
    columns = ("id", "reference", column, f"{column}_sealed", f"{column}_index")
    return sa.table(name, *(sa.column(each) for each in columns))


def _encrypt(name: str, column: str, normalised: Normalised) -> None:
    table = _table(name, column)
    connection = op.get_bind()
    rows = (
        connection.execute(sa.select(table).where(table.c[column].is_not(None)).order_by(table.c.id)).mappings().all()
    )
    seen: dict[str, str] = {}
    written = []
    for row in rows:
        counts = normalised(row[column])
        index = keyring().index(counts, f"{name}.{column}") if counts else None
        if name == "people" and index is not None and seen.setdefault(index, row["reference"]) != row["reference"]:
            raise Conflict(
                f"{seen[index]} and {row['reference']} have the same {column}. Correct one of them with the version "
                "that you come from, then migrate again."
            )
        sealed = keyring().encrypt(row[column], f"{name}.{column}:{row['reference']}")
        written.append({"b_id": row["id"], "sealed": sealed, "index": index})
    if written:
        values: dict[str, Any] = {f"{column}_sealed": sa.bindparam("sealed"), f"{column}_index": sa.bindparam("index")}
        connection.execute(sa.update(table).where(table.c.id == sa.bindparam("b_id")).values(values), written)


def _decrypt(name: str, column: str) -> None:
    table = _table(name, column)
    connection = op.get_bind()
    sealed = table.c[f"{column}_sealed"]
    rows = connection.execute(sa.select(table.c.id, table.c.reference, sealed).where(sealed.is_not(None))).all()
    written = [
        {"b_id": number, "text": keyring().decrypt(stored, f"{name}.{column}:{reference}")}
        for number, reference, stored in rows
    ]
    if written:
        values: dict[str, Any] = {column: sa.bindparam("text")}
        connection.execute(sa.update(table).where(table.c.id == sa.bindparam("b_id")).values(values), written)
