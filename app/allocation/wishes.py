"""What each settlement of a run is worth to a household: its wishes, its work, an outside estimate."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.housing.models import Job
from app.policy.parameters import Wishes
from app.registry.models import Application, Household, Suitability

Sectors = tuple[tuple[str, int], ...]
"""How many members work in each sector, sorted; sectors without an opening anywhere in the run left out."""


@dataclass(frozen=True)
class Wish:
    """Settlement reference → value, where it is stated one by one; and what every other one is worth, or None."""

    options: Mapping[str, int]
    anywhere: int | None
    sectors: Sectors


class Worth:
    """Values under the wishes of a policy. `places`: the settlements of the run, id → reference."""

    def __init__(
        self, wishes: Wishes, places: Mapping[int, str], jobs: Iterable[Job], suitabilities: Iterable[Suitability]
    ) -> None:
        self.wishes, self.places = wishes, places
        self.openings: dict[str, Counter[str]] = {place: Counter() for place in places.values()}
        for job in jobs:
            self.openings[places[job.settlement_id]][job.sector] += job.openings
        self.sectors = {sector for openings in self.openings.values() for sector in openings}
        self.scores: dict[int, dict[str, float]] = defaultdict(dict)
        for suitability in suitabilities:
            self.scores[suitability.household_id][places[suitability.settlement_id]] = suitability.score

    def wish(self, application: Application) -> Wish:
        """Return what `application`, loaded with household, people and preferences, asks for among the places."""
        household = application.household
        sectors = self._sectors_of(household)
        bases = {
            self.places[preference.settlement_id]: self.wishes.preferred[preference.rank - 1]
            for preference in application.preferences
            if preference.settlement_id in self.places
        }
        scores = self.scores[household.id] if self.wishes.suitability_weight else {}
        if application.anywhere:
            # A score of its own takes a settlement out of "anywhere", whose value is the same for everybody.
            bases = dict.fromkeys(scores, self.wishes.anywhere) | bases
        return Wish(
            options={
                place: base + self.work(sectors, place) + round(self.wishes.suitability_weight * scores.get(place, 0.0))
                for place, base in sorted(bases.items())
            },
            anywhere=self.wishes.anywhere if application.anywhere else None,
            sectors=sectors,
        )

    def work(self, sectors: Sectors, place: str) -> int:
        """Return what work is worth in a place: per member with an opening there, and no more than openings."""
        openings = self.openings[place]
        return self.wishes.job_match * sum(min(members, openings[sector]) for sector, members in sectors)

    def _sectors_of(self, household: Household) -> Sectors:
        occupations = (person.occupation for person in household.people)
        return tuple(sorted(Counter(sector for sector in occupations if sector in self.sectors).items()))
