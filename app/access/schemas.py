"""Users and tokens as they go over the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.access.models import Role
from app.access.passwords import LONGEST, SHORTEST
from app.access.users import USERNAME
from app.fields import TEXT_PATTERN, Name, Reference, Wire

Username = Annotated[str, Field(min_length=1, max_length=64, pattern=USERNAME, examples=["amina"])]

Secret = Annotated[
    str, Field(json_schema_extra={"format": "password"}, examples=["a password of 12 characters or more"])
]


class RoleHeld(Wire):
    """A role, held everywhere, in one district or in one settlement."""

    role: Role = Field(description="The role.")
    district: Name | None = Field(None, description="Only in this district.", examples=["West"])
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
