"""Nobody's change is lost: reads give a version as ETag, and changes must name it as If-Match."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from app.database import Versioned
from app.errors import Malformed, PreconditionFailed, PreconditionRequired


def tag(response: Response, thing: Versioned) -> None:
    """Give `response` the ETag of `thing`."""
    response.headers["ETag"] = f'"{thing.version}"'


def if_match(
    if_match: Annotated[
        str | None, Header(description="The ETag that you read.", examples=['"1"'], max_length=40)
    ] = None,
) -> int:
    """Read the version that the caller is changing. Raises PreconditionRequired or Malformed."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag that you read.")
    found = re.fullmatch(r'"([0-9]{1,9})"', if_match)
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
