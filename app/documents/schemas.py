"""Documents as they go over the wire."""

from datetime import datetime

from pydantic import Field

from app.documents.models import DocumentKind
from app.fields import Wire


class DocumentRead(Wire):
    """What is recorded of a document."""

    reference: str = Field(description="Public reference.", examples=["DO-7K3M9QTX"])
    kind: DocumentKind = Field(description="What it shows.")
    media_type: str = Field(description="Its type, found in its content.", examples=["application/pdf"])
    size_bytes: int = Field(description="How large it is.", examples=[184_320])
    sha256: str = Field(description="SHA-256 of its bytes.")
    added_at: datetime = Field(description="When it was added.")
