"""Every mapped class, so that one import fills the metadata."""

import app.access.models
import app.allocation.models
import app.allocation.offer_models
import app.allocation.placement_models
import app.allocation.preview_models
import app.allocation.what_if_models
import app.audit.models
import app.break_glass.models
import app.documents.models
import app.housing.models
import app.idempotency
import app.registry.duplicate_models
import app.registry.models
import app.tenancy.appeal_models
import app.tenancy.models
import app.tenancy.swap_models
from app.database import Base

ALL_MODELS = tuple(mapper.class_ for mapper in Base.registry.mappers)

__all__ = ["ALL_MODELS", "Base", "app"]
