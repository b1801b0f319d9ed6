"""The register as it goes over the wire."""

import json
import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from app.fields import Flag, IsoDate, Key, Name, Reference, Sentence, Wire, left_out
from app.policy.eligibility import Ineligibility
from app.policy.facts import Accommodation, Relationship, Sex
from app.registry.models import Application, ApplicationState, Correction, Household, Person, ReturnReason

Phone = Annotated[str, Field(max_length=40, pattern=r"^\+?[0-9][0-9 ()./-]{3,38}$")]
Language = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
Size = Annotated[int, Field(strict=True, ge=0, le=1_000)]
ClientId = Annotated[
    uuid.UUID | None,
    Field(description="Your own id for it, made before you were online; sent again, it gives the same thing."),
]


class PersonFields(Wire):
    """What is recorded of a person."""

    given_name: Name = Field(description="Given name, in any script.", examples=["Amina"])
    family_name: Name = Field(description="Family name, in any script.", examples=["Kovalenko"])
    sex: Sex = Field(description="As the person states it.", examples=["female"])
    birth_date: IsoDate = Field(description="Date of birth.", examples=["1986-03-24"])
    relationship: Relationship = Field(description="What the person is to the head of household.", examples=["head"])
    needs_step_free: Flag = Field(False, description="Whether the person needs step-free access.")
    occupation: Key | None = Field(None, description="Sector of work.", examples=["agriculture"])
    national_id: Key | None = Field(None, description="Number of an identity document.")


class PersonInHousehold(PersonFields):
    """A person registered together with the household."""

    partner: Annotated[int, Field(strict=True, ge=0, le=49)] | None = Field(
        None, description="Position, from 0, of the person's partner among these people, who names this one in turn."
    )


class PersonNew(PersonFields):
    """A person who joins a household."""

    partner: Reference | None = Field(
        None, description="Reference of the member who is the person's partner.", examples=[None]
    )


class PersonChange(Wire):
    """What changes of a person; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"occupation": "agriculture"}]})

    given_name: Name = Field(default_factory=left_out, description="Given name, in any script.", examples=["Amina"])
    family_name: Name = Field(default_factory=left_out, description="Family name, in any script.")
    sex: Sex = Field(default_factory=left_out, description="As the person states it.")
    birth_date: IsoDate = Field(default_factory=left_out, description="Date of birth.")
    relationship: Relationship = Field(default_factory=left_out, description="What the person is to the head.")
    needs_step_free: Flag = Field(default_factory=left_out, description="Whether the person needs step-free access.")
    occupation: Key | None = Field(default_factory=left_out, description="Sector of work.")
    national_id: Key | None = Field(default_factory=left_out, description="Number of an identity document.")
    partner: Reference | None = Field(
        default_factory=left_out, description="Reference of the member who is the person's partner."
    )


class PersonRead(Wire):
    """A person."""

    reference: str = Field(description="Public reference.", examples=["PE-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    given_name: str = Field(description="Given name.")
    family_name: str = Field(description="Family name.")
    sex: Sex = Field(description="As the person states it.")
    birth_date: IsoDate = Field(description="Date of birth.")
    relationship: Relationship = Field(description="What the person is to the head of household.")
    needs_step_free: bool = Field(description="Whether the person needs step-free access.")
    occupation: str | None = Field(description="Sector of work.")
    national_id: str | None = Field(description="Number of an identity document.")
    partner: str | None = Field(description="Reference of the member who is the person's partner.")

    @classmethod
    def of(cls, person: Person, household: Household) -> "PersonRead":
        """Return `person`, a member of `household`, whose people must be loaded."""
        references = {member.id: member.reference for member in household.people}
        fields = {name: getattr(person, name) for name in cls.model_fields if name != "partner"}
        return cls(partner=references.get(person.partner_id) if person.partner_id else None, **fields)


class HouseholdTaken(Wire):
    """A household and its people, as they are taken down."""

    key: Key | None = Field(None, description="Your own reference.", examples=["HH-00001"])
    registered_on: IsoDate | None = Field(None, description="When it registered; today if left out.")
    origin: Reference | None = Field(None, description="The former settlement that it left.", examples=["OR-7K3M9QTX"])
    displaced_on: IsoDate | None = Field(None, description="When it had to leave.", examples=["1993-04-25"])
    current_accommodation: Accommodation = Field(description="Where it lives now.", examples=["dormitory"])
    kin_group: Reference | None = Field(None, description="The kin group that it must be housed with.", examples=[None])
    phone: Phone | None = Field(None, description="Where it can be called.", examples=["+999 50 201 11 26"])
    language: Language | None = Field(None, description="The language to write to it in (BCP 47).", examples=["uk"])
    consent_on: IsoDate | None = Field(None, description="When it agreed to this use of its data.")
    people: list[PersonInHousehold] = Field(description="Its people; one is the head.", min_length=1, max_length=50)


class HouseholdNew(HouseholdTaken):
    """A household and its people, to register."""

    client_id: ClientId = None


class HouseholdChange(Wire):
    """What changes of a household; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phone": "+999 50 201 11 26"}]})

    registered_on: IsoDate = Field(default_factory=left_out, description="When it registered.")
    origin: Reference | None = Field(default_factory=left_out, description="The former settlement that it left.")
    displaced_on: IsoDate | None = Field(default_factory=left_out, description="When it had to leave.")
    current_accommodation: Accommodation = Field(default_factory=left_out, description="Where it lives now.")
    kin_group: Reference | None = Field(
        default_factory=left_out, description="The kin group that it must be housed with."
    )
    phone: Phone | None = Field(
        default_factory=left_out, description="Where it can be called.", examples=["+999 50 201 11 26"]
    )
    language: Language | None = Field(default_factory=left_out, description="The language to write to it in (BCP 47).")
    consent_on: IsoDate | None = Field(default_factory=left_out, description="When it agreed to this use of its data.")


class HouseholdSummary(Wire):
    """A household in a list."""

    reference: str = Field(description="Public reference.", examples=["HH-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    head: str | None = Field(description="Name of its head.")
    people: int = Field(description="How many people it has.")
    registered_on: IsoDate = Field(description="When it registered.")
    current_accommodation: Accommodation = Field(description="Where it lives now.")

    @classmethod
    def of(cls, household: Household) -> "HouseholdSummary":
        """Return `household`, whose people must be loaded."""
        return cls(
            reference=household.reference,
            key=household.key,
            head=household.head_name,
            people=len(household.people),
            registered_on=household.registered_on,
            current_accommodation=household.current_accommodation,
        )


class HouseholdRead(Wire):
    """A household and its people."""

    reference: str = Field(description="Public reference.", examples=["HH-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    client_id: uuid.UUID | None = Field(description="The id that the client made for it.")
    registered_on: IsoDate = Field(description="When it registered.")
    origin: str | None = Field(description="Reference of the former settlement that it left.")
    displaced_on: IsoDate | None = Field(description="When it had to leave.")
    current_accommodation: Accommodation = Field(description="Where it lives now.")
    kin_group: str | None = Field(description="Reference of the kin group that it must be housed with.")
    phone: str | None = Field(description="Where it can be called.")
    language: str | None = Field(description="The language to write to it in (BCP 47).")
    consent_on: IsoDate | None = Field(description="When it agreed to this use of its data.")
    people: list[PersonRead] = Field(description="Its people.")

    @classmethod
    def of(cls, household: Household) -> "HouseholdRead":
        """Return `household`, whose people, origin and kin group must be loaded."""
        own = {
            name: getattr(household, name) for name in cls.model_fields if name not in ("origin", "kin_group", "people")
        }
        return cls(
            **own,
            origin=household.origin.reference if household.origin else None,
            kin_group=household.kin_group.reference if household.kin_group else None,
            people=[PersonRead.of(person, household) for person in household.people],
        )


class KinGroupNew(Wire):
    """A kin group to make."""

    key: Key | None = Field(None, description="Your own reference.", examples=["KIN-00003"])


class KinGroupRead(Wire):
    """Households that must be housed together."""

    reference: str = Field(description="Public reference.", examples=["KG-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")


class ApplicationNew(Wire):
    """An application to begin."""

    client_id: ClientId = None
    household: Reference = Field(description="The household that applies.", examples=["HH-7K3M9QTX"])
    preferences: list[Reference] = Field(
        default_factory=list,
        description="Settlements wished for, best first.",
        max_length=3,
        examples=[["ST-7K3M9QTX"]],
    )
    anywhere: Flag = Field(False, description="Whether any other settlement is accepted too.")


class ApplicationChange(Wire):
    """What changes of an application; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"anywhere": True}]})

    preferences: list[Reference] = Field(
        default_factory=left_out, description="Settlements wished for, best first.", max_length=3
    )
    anywhere: Flag = Field(
        default_factory=left_out, description="Whether any other settlement is accepted too.", examples=[True]
    )
    size_override: Size | None = Field(
        default_factory=left_out,
        description="A need set by hand, in the measure of the occupancy standard, kept beside the computed one.",
    )
    size_override_reason: Sentence | None = Field(default_factory=left_out, description="Why the need was set by hand.")


class SubmissionNew(Wire):
    """A household and its application, to be submitted at once."""

    client_id: uuid.UUID = Field(
        description="Your own id for it, made before you were online; sent again, it gives the same thing.",
        examples=["0192f0c8-6a1e-7cc3-9b0e-5d1c8f7a2b31"],
    )
    household: HouseholdTaken = Field(description="The household and its people.")
    preferences: list[Reference] = Field(
        default_factory=list,
        description="Settlements wished for, best first.",
        max_length=3,
        examples=[["ST-7K3M9QTX"]],
    )
    anywhere: Flag = Field(False, description="Whether any other settlement is accepted too.")


class ApplicationRead(Wire):
    """An application and where it is on its way."""

    reference: str = Field(description="Public reference.", examples=["AP-7K3M9QTX"])
    client_id: uuid.UUID | None = Field(description="The id that the client made for it.")
    household: str = Field(description="Reference of the household that applies.")
    state: ApplicationState = Field(description="Where it is on its way.")
    preferences: list[str] = Field(description="References of the settlements wished for, best first.")
    anywhere: bool = Field(description="Whether any other settlement is accepted too.")
    size_override: int | None = Field(description="A need set by hand.")
    size_override_reason: str | None = Field(description="Why the need was set by hand.")
    submitted_at: datetime | None = Field(description="When it was handed in.")
    returned_at: datetime | None = Field(description="When it was given back last.")
    return_reasons: list[ReturnReason] | None = Field(description="What it lacked then.")
    return_note: str | None = Field(description="What else was said of that.")
    verified_at: datetime | None = Field(description="When it was verified; null where it is to be, or to be anew.")
    decided_at: datetime | None = Field(description="When it was found eligible or not.")
    decided_policy: str | None = Field(description="Reference of the policy whose rules found so.")
    ineligible_for: list[Ineligibility] | None = Field(description="Why it may not take part; empty where it may.")
    withdrawn_at: datetime | None = Field(description="When it was withdrawn.")
    withdrawn_reason: str | None = Field(description="Why it was withdrawn.")

    @classmethod
    def of(cls, application: Application) -> "ApplicationRead":
        """Return `application`, whose household and preferences must be loaded."""
        own = {
            name: getattr(application, name) for name in cls.model_fields if name not in ("household", "preferences")
        }
        return cls(
            **own,
            household=application.household.reference,
            preferences=[preference.settlement.reference for preference in application.preferences],
        )


class SubmissionRead(Wire):
    """What came of a submission."""

    household: HouseholdRead = Field(description="The household and its people.")
    application: ApplicationRead = Field(description="Its application.")


class CorrectedField(Wire):
    """One field that was changed."""

    thing: str = Field(description="Reference of the application, the household or the person.")
    field: str = Field(description="Which field.", examples=["current_accommodation"])
    before: Any = Field(description="What it was; null where there was nothing.", examples=["rented"])
    after: Any = Field(description="What it is since.", examples=["dormitory"])


class CorrectionRead(Wire):
    """What was changed of an application after it was handed in, or why it was reopened."""

    reference: str = Field(description="Public reference.", examples=["CO-7K3M9QTX"])
    corrected_at: datetime = Field(description="When.")
    corrected_by: str | None = Field(description="Reference of who did it; null where that was the operator.")
    state_before: ApplicationState = Field(description="Where the application was on its way.")
    reason: str | None = Field(description="Why it was reopened.")
    changes: list[CorrectedField] = Field(description="What was changed.")
    checked: dict[str, Any] = Field(
        description="What had been verified and decided, and was void by this.", examples=[{"ineligible_for": []}]
    )

    @classmethod
    def of(cls, correction: Correction) -> "CorrectionRead":
        """Return `correction`, whose user must be loaded."""
        return cls(
            reference=correction.reference,
            corrected_at=correction.corrected_at,
            corrected_by=correction.corrected_by.reference if correction.corrected_by else None,
            state_before=correction.state_before,
            **json.loads(correction.content or "{}"),
        )
