"""The stock as it goes over the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.fields import (
    Address,
    Count,
    Flag,
    IsoDate,
    Key,
    Latitude,
    Longitude,
    Name,
    Reference,
    Sentence,
    ShortName,
    Wire,
    left_out,
)
from app.housing.models import House, HouseState, LandReleaseArea, LandState, Settlement, SettlementStatus
from app.housing.readiness import gates

Rooms = Annotated[int, Field(strict=True, ge=1, le=60)]
Bedrooms = Annotated[int, Field(strict=True, ge=0, le=60)]
Area = Annotated[float, Field(strict=True, gt=0, le=100_000, allow_inf_nan=False)]
Kilowatts = Annotated[float, Field(strict=True, ge=0, le=10_000, allow_inf_nan=False)]
Storeys = Annotated[int, Field(strict=True, ge=1, le=50)]


class OriginNew(Wire):
    """A former settlement that families left."""

    key: Key | None = Field(None, description="Your own reference.", examples=["O-KH1"])
    name: Name = Field(description="Its name.", examples=["Old Hillside"])
    latitude: Latitude = Field(description="WGS 84 degrees.", examples=[0.388])
    longitude: Longitude = Field(description="WGS 84 degrees.", examples=[0.3])


class OriginRead(Wire):
    """A former settlement that families left."""

    reference: str = Field(description="Public reference.", examples=["OR-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    name: str = Field(description="Its name.")
    latitude: float = Field(description="WGS 84 degrees.")
    longitude: float = Field(description="WGS 84 degrees.")


class SettlementNew(Wire):
    """A rebuilt village."""

    key: Key | None = Field(None, description="Your own reference.", examples=["KHI"])
    name: Name = Field(description="Its name.", examples=["Hillside"])
    district: ShortName = Field(description="The district it lies in.", examples=["South"])
    latitude: Latitude = Field(description="WGS 84 degrees.", examples=[0.4])
    longitude: Longitude = Field(description="WGS 84 degrees.", examples=[0.3])
    school_places: Count = Field(description="Places in its school.", examples=[960])
    clinic_patients: Count = Field(description="Patients that its clinic can care for.", examples=[6000])
    status: SettlementStatus = Field(description="How far it is.", examples=["open"])
    merged_from: list[Reference] = Field(
        default_factory=list, description="References of the origins merged into it.", max_length=50, examples=[[]]
    )


class SettlementChange(Wire):
    """What changes of a settlement; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "suspended"}]})

    name: Name = Field(default_factory=left_out, description="Its name.")
    district: ShortName = Field(default_factory=left_out, description="The district it lies in.")
    latitude: Latitude = Field(default_factory=left_out, description="WGS 84 degrees.")
    longitude: Longitude = Field(default_factory=left_out, description="WGS 84 degrees.")
    school_places: Count = Field(default_factory=left_out, description="Places in its school.")
    clinic_patients: Count = Field(default_factory=left_out, description="Patients that its clinic can care for.")
    status: SettlementStatus = Field(default_factory=left_out, description="How far it is.", examples=["suspended"])
    merged_from: list[Reference] = Field(
        default_factory=left_out, description="References of the origins merged into it.", max_length=50
    )


class GateRead(Wire):
    """One condition for living in a settlement."""

    name: str = Field(description="The condition.", examples=["drinking_water"])
    met: bool = Field(description="Whether it holds.")
    reason: str = Field(description="Why, in words.")


class MilestoneRead(Wire):
    """A step of the rebuilding."""

    name: str = Field(description="The step.", examples=["electricity"])
    achieved_on: IsoDate | None = Field(description="When it was reached.")
    expected_on: IsoDate | None = Field(description="When it is expected.")


class MilestoneSet(Wire):
    """When a milestone was reached or is expected."""

    achieved_on: IsoDate | None = Field(None, description="When it was reached.", examples=["2026-05-01"])
    expected_on: IsoDate | None = Field(None, description="When it is expected.")


class SettlementRead(Wire):
    """A rebuilt village and whether it can be lived in."""

    reference: str = Field(description="Public reference.", examples=["ST-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    name: str = Field(description="Its name.")
    district: str = Field(description="The district it lies in.")
    latitude: float = Field(description="WGS 84 degrees.")
    longitude: float = Field(description="WGS 84 degrees.")
    school_places: int = Field(description="Places in its school.")
    clinic_patients: int = Field(description="Patients that its clinic can care for.")
    status: SettlementStatus = Field(description="How far it is.")
    merged_from: list[OriginRead] = Field(description="The origins merged into it.")
    milestones: list[MilestoneRead] = Field(description="The steps of its rebuilding.")
    ready: bool = Field(description="Whether every gate is met, so that its free houses are available.")
    gates: list[GateRead] = Field(description="Every gate, with the reason.")

    @classmethod
    def of(cls, settlement: Settlement) -> "SettlementRead":
        """Return `settlement`, loaded, with its gates."""
        found = gates(settlement)
        return cls(
            reference=settlement.reference,
            key=settlement.key,
            name=settlement.name,
            district=settlement.district,
            latitude=settlement.latitude,
            longitude=settlement.longitude,
            school_places=settlement.school_places,
            clinic_patients=settlement.clinic_patients,
            status=settlement.status,
            merged_from=[OriginRead.model_validate(origin) for origin in settlement.origins],
            milestones=[MilestoneRead.model_validate(milestone) for milestone in settlement.milestones],
            ready=all(gate.met for gate in found),
            gates=[GateRead.model_validate(gate) for gate in found],
        )


class JobWire(Wire):
    """Openings of one employer in one sector."""

    employer: Name = Field(description="Who employs.", examples=["Farm cooperative"])
    sector: Key = Field(description="The sector, as in people's occupations.", examples=["agriculture"])
    openings: Count = Field(description="How many openings.", examples=[35])


class HouseNew(Wire):
    """A house."""

    key: Key | None = Field(None, description="Your own reference.", examples=["KHI-0001"])
    settlement: Reference = Field(description="The settlement it stands in.", examples=["ST-7K3M9QTX"])
    address: Address = Field(description="Its address.", examples=["Street 1, house 1"])
    rooms: Rooms = Field(description="Rooms, bedrooms among them.", examples=[3])
    bedrooms: Bedrooms = Field(description="Bedrooms; 0 for a studio.", examples=[2])
    floor_area_m2: Area = Field(description="Floor area in square metres.", examples=[90])
    step_free: Flag = Field(description="Whether it can be entered and used without a step.", examples=[False])
    storeys: Storeys = Field(1, description="Storeys.")
    solar_kw: Kilowatts = Field(0.0, description="Solar power in kilowatts.")
    handed_over_on: IsoDate | None = Field(None, description="When it was handed over.", examples=["2026-07-01"])
    construction_started: Flag = Field(True, description="False for one that is only planned.")


class HouseChange(Wire):
    """What changes of a house; what is left out stays."""

    address: Address = Field(default_factory=left_out, description="Its address.")
    rooms: Rooms = Field(default_factory=left_out, description="Rooms, bedrooms among them.")
    bedrooms: Bedrooms = Field(default_factory=left_out, description="Bedrooms; 0 for a studio.")
    floor_area_m2: Area = Field(default_factory=left_out, description="Floor area in square metres.")
    step_free: Flag = Field(default_factory=left_out, description="Whether it can be entered and used without a step.")
    storeys: Storeys = Field(default_factory=left_out, description="Storeys.")
    solar_kw: Kilowatts = Field(default_factory=left_out, description="Solar power in kilowatts.")
    handed_over_on: IsoDate | None = Field(
        default_factory=left_out, description="When it was handed over.", examples=["2026-07-01"]
    )
    construction_started: Flag = Field(default_factory=left_out, description="False for one that is only planned.")


class HouseRead(Wire):
    """A house and its state."""

    reference: str = Field(description="Public reference.", examples=["HO-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    settlement: str = Field(description="Reference of the settlement it stands in.")
    address: str = Field(description="Its address.")
    rooms: int = Field(description="Rooms, bedrooms among them.")
    bedrooms: int = Field(description="Bedrooms; 0 for a studio.")
    floor_area_m2: float = Field(description="Floor area in square metres.")
    step_free: bool = Field(description="Whether it can be entered and used without a step.")
    storeys: int = Field(description="Storeys.")
    solar_kw: float = Field(description="Solar power in kilowatts.")
    handed_over_on: IsoDate | None = Field(description="When it was handed over.")
    state: HouseState = Field(description="Its state; available is handed over or vacated behind met gates.")
    unfit_reason: str | None = Field(description="Why nobody should live in it.")

    @classmethod
    def of(cls, house: House, state: HouseState | str) -> "HouseRead":
        """Return `house`, whose settlement must be loaded, in the state that people see."""
        own = {name: getattr(house, name) for name in cls.model_fields if name not in ("settlement", "state")}
        return cls(settlement=house.settlement.reference, state=HouseState(state), **own)


class Reasoned(Wire):
    """An act that needs its reason."""

    reason: Sentence = Field(description="Why.", examples=["The roof leaks since the storm."])


class LandReleaseAreaNew(Wire):
    """An area that was or is suspected or confirmed to hold mines."""

    key: Key | None = Field(None, description="Your own reference.", examples=["KHI-LR1"])
    settlement: Reference = Field(description="The settlement it belongs to.", examples=["ST-7K3M9QTX"])
    state: LandState = Field(description="Its state, in the terms of IMAS 07.11.", examples=["cleared"])
    method: Key | None = Field(None, description="How it was released.", examples=["manual"])
    hectares: Area = Field(description="Its size in hectares.", examples=[61.0])
    released_on: IsoDate | None = Field(None, description="When it was released.", examples=["2024-01-30"])
    certificate: ShortName | None = Field(
        None, description="The certificate of its release.", examples=["LR-2024-0008"]
    )
    geometry: "Polygon | MultiPolygon" = Field(description="GeoJSON geometry, WGS 84.", discriminator="type")


class LandReleaseAreaChange(Wire):
    """What changes of a land-release area; what is left out stays.

    Of one that is suspected again the method, day and certificate of its earlier release stay too where they are null.
    To release it then, give those of the new release.
    """

    state: LandState = Field(default_factory=left_out, description="Its state.", examples=["suspected_hazardous"])
    method: Key | None = Field(default_factory=left_out, description="How it was released.")
    hectares: Area = Field(default_factory=left_out, description="Its size in hectares.")
    released_on: IsoDate | None = Field(default_factory=left_out, description="When it was released.")
    certificate: ShortName | None = Field(default_factory=left_out, description="The certificate.")


class LandReleaseAreaRead(Wire):
    """An area that was or is suspected or confirmed to hold mines."""

    reference: str = Field(description="Public reference.", examples=["LR-7K3M9QTX"])
    key: str | None = Field(description="The sender's own reference.")
    settlement: str = Field(description="Reference of the settlement it belongs to.")
    state: LandState = Field(description="Its state, in the terms of IMAS 07.11.")
    method: str | None = Field(description="How it was released.")
    hectares: float = Field(description="Its size in hectares.")
    released_on: IsoDate | None = Field(description="When it was released.")
    certificate: str | None = Field(description="The certificate of its release.")
    geometry: dict[str, Any] = Field(description="GeoJSON geometry, WGS 84.")

    @classmethod
    def of(cls, area: LandReleaseArea) -> "LandReleaseAreaRead":
        """Return `area`, whose settlement must be loaded."""
        fields = {name: getattr(area, name) for name in cls.model_fields if name != "settlement"}
        return cls(settlement=area.settlement.reference, **fields)


Position = tuple[Longitude, Latitude]
Ring = Annotated[list[Position], Field(min_length=4, max_length=2_000)]
Rings = Annotated[list[Ring], Field(min_length=1, max_length=50)]


class Polygon(Wire):
    """A GeoJSON polygon."""

    type: Literal["Polygon"] = Field(description="The kind of geometry.")
    coordinates: Rings = Field(
        description="Rings of [longitude, latitude], the first one outside; each ends where it starts.",
        examples=[[[[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]]],
    )


class MultiPolygon(Wire):
    """Several GeoJSON polygons."""

    type: Literal["MultiPolygon"] = Field(description="The kind of geometry.")
    coordinates: list[Rings] = Field(description="The rings of each polygon.", min_length=1, max_length=50)
