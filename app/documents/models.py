"""What is recorded of a document; its bytes lie in a file of their own."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import NOT_AUDITED, NOT_PERSONAL, Base, enum_column, reference_column, utc_now
from app.registry.models import Application
from app.sealed import Sealed


class DocumentKind(StrEnum):
    """What a document shows."""

    IDENTITY = "identity"
    RESIDENCE_PROOF = "residence_proof"
    DISABILITY = "disability"
    MARRIAGE = "marriage"
    PROPERTY_TITLE = "property_title"
    OTHER = "other"


class Document(Base):
    """A document of an application. `secret` is the key of its file `stored_as`: with the row, the bytes are gone."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("application_id", "sha256"),)

    reference: Mapped[str] = reference_column("DO")
    application_id: Mapped[int] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL
    )
    kind: Mapped[DocumentKind] = mapped_column(enum_column(DocumentKind))
    media_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    stored_as: Mapped[str] = mapped_column(String(32), unique=True, info=NOT_AUDITED)
    secret_sealed: Mapped[str] = mapped_column(Text, info=NOT_AUDITED)
    added_at: Mapped[datetime] = mapped_column(default=utc_now)
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    secret = Sealed()

    application: Mapped[Application] = relationship(lazy="raise")
