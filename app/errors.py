"""What can go wrong, said the same way everywhere: RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

MOST_ERRORS = 1_000
"""Wrong fields that a problem document names: an answer must not be many times what was sent."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field: a JSON pointer into what was sent, and a sentence."""

    pointer: str
    message: str


class HearthError(Exception):
    """A refusal that the caller can act on. `detail` says what to do."""

    slug: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong here"
    meaning: ClassVar[str] = "A fault of the service. It has been logged under the request id; nothing was changed."

    def __init__(
        self,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = members

    def problem(self) -> dict[str, Any]:
        """Return the body of the problem document."""
        return {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": [asdict(error) for error in self.errors[:MOST_ERRORS]],
            **self.members,
        }


class Malformed(HearthError):
    """The request cannot be read."""

    slug, status, title = "malformed", 400, "The request cannot be read"
    meaning = "The body is not what its Content-Type says, or a header makes no sense. Mend it and send it again."


class Unauthorised(HearthError):
    """Nobody is signed in."""

    slug, status, title = "not-signed-in", 401, "Sign in first"
    meaning = "No token, or one that has expired or was revoked. Get one with POST /api/v1/tokens."


class Forbidden(HearthError):
    """The caller's roles do not allow the act."""

    slug, status, title = "forbidden", 403, "Your roles do not allow this"
    meaning = "The act needs a permission that none of your roles has, or has not here. Ask an administrator."


class NewPasswordNeeded(HearthError):
    """The password was right, and was made by an administrator for one sign-in."""

    slug, status, title = "new-password-needed", 403, "Choose a password of your own"
    meaning = "Your password was made for you and works once. Sign in again with it and a `new_password` of your own."


class SecondFactorNeeded(HearthError):
    """The password was right, or the role is held, and a second factor lacks."""

    slug, status, title = "second-factor-needed", 403, "Sign in with your second factor"
    meaning = "Sign in with the `code` of your authenticator app too, or a recovery code. Who has none yet enrols one."


class ForgedRequest(HearthError):
    """A browser's cookie came with a request that its own pages did not send."""

    slug, status, title = "forged-request", 403, "This did not come from Hearth's own pages"
    meaning = "With a cookie, what changes something comes from the same site and brings the session's X-CSRF-Token."


class NotFound(HearthError):
    """No such thing, or not for this caller."""

    slug, status, title = "not-found", 404, "There is no such thing here"
    meaning = "Nothing at this address that you may see. Check the reference for a mistyped character."


class MethodNotAllowed(HearthError):
    """The address exists, the method does not."""

    slug, status, title = "method-not-allowed", 405, "This address does not take that method"
    meaning = "The Allow header lists the methods that this address takes."


class TooSlow(HearthError):
    """The body did not come in time."""

    slug, status, title = "too-slow", 408, "The body did not come in time"
    meaning = "The connection is too slow for a body of that size, or broke. Send it again, or in smaller parts."


class Conflict(HearthError):
    """The state of the thing forbids the act."""

    slug, status, title = "conflict", 409, "The present state forbids this"
    meaning = "The detail names the state and what it allows. Read the thing again and decide anew."


class PreconditionFailed(HearthError):
    """Somebody else changed the thing in the meantime."""

    slug, status, title = "changed-meanwhile", 412, "Somebody changed this in the meantime"
    meaning = "If-Match names an older version. Read the thing again, apply your change to it and send its new ETag."


class TooLarge(HearthError):
    """More was sent than the service takes."""

    slug, status, title = "too-large", 413, "That is too large"
    meaning = "The body, or what it unpacks to, is over the limit that the detail names."


class UnsupportedMediaType(HearthError):
    """The body's media type is not one that the address takes."""

    slug, status, title = "unsupported-media-type", 415, "The body is of the wrong type"
    meaning = "Send the Content-Type that the operation documents."


class Invalid(HearthError):
    """The content is wrong; `errors` says which fields."""

    slug, status, title = "invalid", 422, "Some fields are wrong"
    meaning = "Each entry of errors points at a field and says what is wrong with it. Nothing was written."


class PreconditionRequired(HearthError):
    """A change needs If-Match."""

    slug, status, title = "if-match-required", 428, "Say which version you are changing"
    meaning = "Send the ETag that you read as If-Match, so that nobody's change is lost."


class TooManyRequests(HearthError):
    """More was asked than the service takes from there in that time; `Retry-After` says when it takes more."""

    slug, status, title = "too-many-requests", 429, "Wait a moment"
    meaning = "Too many tries in a short time. Wait as many seconds as the Retry-After header says, then send it again."

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(HearthError):
    """A part that the service needs is not there."""

    slug, status, title = "unavailable", 503, "Not ready"
    meaning = "The database cannot be reached, is busy or not migrated. Try again; tell the operator if it stays."


def every_kind() -> list[type[HearthError]]:
    """Return all kinds of problem, by status."""
    return sorted((HearthError, *HearthError.__subclasses__()), key=lambda kind: kind.status)
