"""Cursor pages: stable while rows come and go, and no total to count."""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, inspect
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.database import Base
from app.references import normalised

LARGEST = 200
Row = TypeVar("Row", bound=Base)
Item = TypeVar("Item")


@dataclass(frozen=True)
class PageRequest:
    """Which page is asked for: after the thing that `cursor` names, at most `limit` things."""

    cursor: str | None
    limit: int


def page_request(
    cursor: Annotated[
        str | None,
        Query(description="The `next` of the page before.", max_length=40, pattern=r"^[0-9A-Za-z-]*$"),
    ] = None,
    limit: Annotated[int, Query(description=f"Things on a page, brought into 1…{LARGEST}.")] = 50,
) -> PageRequest:
    """Read the page asked for out of the query string."""
    # What can be no reference becomes an empty one, which names nothing: it must not begin the list again.
    return PageRequest(normalised(cursor) if cursor else None, min(max(limit, 1), LARGEST))


Paging = Annotated[PageRequest, Depends(page_request)]


class Page(BaseModel, Generic[Item]):
    """One page of a list, in a stable order."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item] = Field(description="The things on this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last.")


def page(
    session: Session, query: Select[Any], model: type[Row], asked: PageRequest, seen: Select[Any] | None = None
) -> tuple[list[Row], str | None]:
    """Return the rows of `query` on the page asked for, in the order they were made, and the next cursor.

    `model` is the mapped class whose `id` orders and whose `reference` is the cursor. `seen`: all that the reader may
    see, without the filters of `query`, for what was last on a page may have changed since. A cursor that names nothing
    of that gives an empty last page: it tells nothing of what the reader may not see.
    """
    reference: InstrumentedAttribute[str] = inspect(model).attrs["reference"].class_attribute
    if asked.cursor is not None:
        named = (query if seen is None else seen).where(reference == asked.cursor)
        query = query.where(model.id > named.with_only_columns(model.id).correlate(None).scalar_subquery())
    rows: list[Row] = list(session.scalars(query.order_by(model.id).limit(asked.limit + 1)).unique())
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    return rows, (reference.__get__(rows[-1], model) if more else None)
