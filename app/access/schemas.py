"""Users and tokens as they go over the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from app.access.models import Role
from app.access.passwords import LONGEST, SHORTEST
from app.access.permissions import Permission
from app.access.users import USERNAME
from app.fields import TEXT_PATTERN, Name, Reference, ShortName, Wire

Username = Annotated[str, Field(min_length=1, max_length=64, pattern=USERNAME, examples=["amina"])]

Code = Annotated[str, Field(min_length=6, max_length=64, pattern=TEXT_PATTERN, examples=["123456"])]
# A Name with a bound of its own would have that of a Name.
TokenName = Annotated[str, StringConstraints(max_length=100, pattern=TEXT_PATTERN), AfterValidator(str.strip)]
Secret = Annotated[
    str, Field(json_schema_extra={"format": "password"}, examples=["a password of 12 characters or more"])
]


class RoleHeld(Wire):
    """A role, held everywhere, in one district or in one settlement."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "planner", "district": "West"}]})

    role: Role = Field(description="The role.")
    district: ShortName | None = Field(None, description="Only in this district.", examples=["West"])
    settlement: Reference | None = Field(None, description="Only in this settlement.", examples=["ST-7K3M9QTX"])


class UserNew(Wire):
    """A user to add."""

    username: Username = Field(description="What the user signs in with.")
    display_name: Name = Field(description="The user's name for others to read.", examples=["Amina K."])
    password: Secret = Field(
        description="For the first sign-in, within three days, at which the user replaces it. "
        "Not the username, and in no list of breached ones.",
        min_length=SHORTEST,
        max_length=LONGEST,
    )
    roles: list[RoleHeld] = Field(description="What the user may do, and where.", min_length=1, max_length=50)


class RolesSet(Wire):
    """All the roles of a user, in place of those before."""

    roles: list[RoleHeld] = Field(description="What the user may do, and where.", min_length=1, max_length=50)


class UserRead(Wire):
    """A user."""

    reference: str = Field(description="Public reference.", examples=["US-7K3M9QTX"])
    username: str = Field(description="What the user signs in with.")
    display_name: str = Field(description="The user's name for others to read.")
    roles: list[RoleHeld] = Field(description="What the user may do, and where.", validation_alias="grants")
    created_at: datetime = Field(description="When the user was added.")
    disabled_at: datetime | None = Field(description="When the user's access ended.")


class SignIn(Wire):
    """A name and a password."""

    username: str = Field(
        description="The user's name.", min_length=1, max_length=64, pattern=TEXT_PATTERN, examples=["planner"]
    )
    password: Secret = Field(description="The user's password.", min_length=1, max_length=LONGEST)
    new_password: Secret | None = Field(
        None,
        description="A password to replace it with; needed where an administrator made the present one.",
        min_length=SHORTEST,
        max_length=LONGEST,
    )
    code: Code | None = Field(
        None, description="A code of the authenticator app, or a recovery code, where one is in use."
    )


class PasswordChange(Wire):
    """A new password of one's own."""

    password: Secret = Field(description="The present password.", min_length=1, max_length=LONGEST)
    new_password: Secret = Field(
        description="The new one: any characters, not the username, and in no list of breached ones.",
        min_length=SHORTEST,
        max_length=LONGEST,
    )


class OneTimePassword(Wire):
    """A password for one sign-in, shown this once."""

    password: str = Field(description="Give it to the user, who replaces it at sign-in. It is shown only here.")
    expires_at: datetime = Field(description="When it ends unused.")


class TokenIssued(Wire):
    """A token, shown this once."""

    token: str = Field(description="Send it as `Authorization: Bearer …`. It is shown only here.")
    expires_at: datetime = Field(description="When it ends.")


class Me(Wire):
    """Who is signed in, and what they may do."""

    reference: str = Field(description="Public reference.")
    username: str = Field(description="The user's name.")
    roles: list[RoleHeld] = Field(description="Roles and where they are held.")
    permissions: list[str] = Field(description="Every permission that some role gives, somewhere.")
    has_second_factor: bool = Field(description="Whether you signed in with a second factor.")
    withheld: list[RoleHeld] = Field(description="Roles that act once you sign in with a second factor.")


class IdentityProvider(Wire):
    """The identity provider that users sign in with."""

    issuer: str = Field(description="Who it is.", examples=["https://identity.example"])
    sign_in: str = Field(description="Send the browser here to sign in, with `return_to` if you like.")
    sign_out: str | None = Field(description="Send the browser here, once its session has ended, to end that there.")


class SessionStarted(Wire):
    """A session of a browser, whose cookie comes with this answer."""

    reference: str = Field(description="Public reference.", examples=["SE-7K3M9QTX"])
    csrf_token: str = Field(description="To be sent as `X-CSRF-Token` with everything that changes something.")
    expires_at: datetime = Field(description="When it ends, used or not.")


class SessionRead(Wire):
    """A session of one's own that is not over."""

    reference: str = Field(description="Public reference.", examples=["SE-7K3M9QTX"])
    address: str = Field(description="Network address that it began from.", examples=["192.0.2.1"])
    agent: str = Field(description="What the browser calls itself.")
    has_second_factor: bool = Field(description="Whether it began with a second factor.")
    created_at: datetime = Field(description="When it began.")
    used_at: datetime = Field(description="When it was last used, to the minute.")
    expires_at: datetime = Field(description="When it ends, used or not.")
    is_current: bool = Field(False, description="Whether it is the one that asks.")


class Sessions(Wire):
    """The sessions of one's own that are not over."""

    items: list[SessionRead] = Field(description="The last used first.")


class PasswordAgain(Wire):
    """The password, once more."""

    password: Secret = Field(description="The present password.", min_length=1, max_length=LONGEST)


class SecondFactorBegun(Wire):
    """The secret of an authenticator app, shown this once."""

    secret: str = Field(description="The secret in base 32, for typing. It is shown only here.")
    uri: str = Field(description="The same as an otpauth URI, for a QR code.", examples=["otpauth://totp/Hearth:amina"])


class CodeGiven(Wire):
    """A code of the authenticator app, or a recovery code."""

    code: Code = Field(description="Six digits, or a recovery code.")


class RecoveryCodes(Wire):
    """Recovery codes, shown this once."""

    recovery_codes: list[str] = Field(description="Each stands for one code of the app, once. Shown only here.")


class SecondFactorConfirmed(RecoveryCodes):
    """A second factor in use."""

    csrf_token: str | None = Field(description="The session's new CSRF token; none for who came with a bearer token.")


class ApiTokenNew(Wire):
    """A token for a program."""

    name: TokenName = Field(description="What it is for.", examples=["Weekly report"])
    permissions: list[Permission] = Field(
        description="What it may be used for, of what you may.",
        min_length=1,
        max_length=len(Permission),
        examples=[[Permission.STOCK_READ]],
    )
    days: int = Field(description="After how many days it ends.", examples=[90], strict=True, ge=1, le=366)


class ApiTokenIssued(TokenIssued):
    """A token for a program, shown this once."""

    reference: str = Field(description="Public reference.", examples=["TK-7K3M9QTX"])


class ApiTokenRead(Wire):
    """A token of one's own that has not ended."""

    reference: str = Field(description="Public reference.", examples=["TK-7K3M9QTX"])
    name: str | None = Field(description="What it is for; none for that of a sign-in.")
    permissions: list[str] | None = Field(description="What it may be used for; none: all that you may.")
    created_at: datetime = Field(description="When it was made.")
    used_at: datetime = Field(description="When it was last used, to the minute.")
    expires_at: datetime = Field(description="When it ends.")


class ApiTokens(Wire):
    """The tokens of one's own that have not ended."""

    items: list[ApiTokenRead] = Field(description="The newest first.")
