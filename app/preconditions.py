"""Nobody's change is lost: reads give a version as ETag, and changes must name it as If-Match."""

import re
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from app.database import Versioned
from app.errors import Malformed, PreconditionFailed

ETAG = r'^"([0-9]{1,9})"$'
_HEADERS = {
    "headers": {
        "ETag": {
            "description": "The version answered, to be sent as If-Match by who changes it.",
            "required": True,
            "schema": {"type": "string", "pattern": ETAG, "examples": ['"1"']},
        }
    }
}
# What OpenAPI says of an answer that was given its `tag`, and of one that made what it tags.
TAGGED: dict[int | str, dict[str, Any]] = {200: _HEADERS}
TAGGED_NEW: dict[int | str, dict[str, Any]] = {201: _HEADERS}


def tag(response: Response, thing: Versioned) -> None:
    """Give `response` the ETag of `thing`."""
    response.headers["ETag"] = f'"{thing.version}"'


def if_match(
    if_match: Annotated[
        str, Header(description="The ETag that you read.", examples=['"1"'], json_schema_extra={"pattern": ETAG})
    ],
) -> int:
    """Read the version that the caller is changing. Raises Malformed; without the header, PreconditionRequired."""
    found = re.fullmatch(ETAG, if_match)
    if found is None:
        raise Malformed('If-Match takes one ETag as it was given, such as "3".')
    return int(found[1])


IfMatch = Annotated[int, Depends(if_match)]


def require_version(thing: Versioned, version: int) -> None:
    """Raise PreconditionFailed when `thing` is not at `version` any more."""
    if thing.version != version:
        raise PreconditionFailed(
            f"You changed version {version}, and it stands at version {thing.version}. Read it again."
        )
