"""The checker's answer, found a second way: slowly, row by row, from the JSON forms and the model's page alone."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.solver.exhaustive import Row, value

Decided = tuple[str, dict[str, int], int]
"""A stage's name, its terms and what later ones may lose of it."""


@dataclass(frozen=True)
class Recomputed:
    """A problem in its canonical JSON form, and its SHA-256; stages: what was decided instead of the model's order."""

    problem: Row
    sha256: str
    stages: list[Decided] | None = None

    @cached_property
    def households(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.problem["households"]}

    @cached_property
    def classes(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.problem["house_classes"]}

    @cached_property
    def terms(self) -> list[str]:
        tiers = max((row["tier"] for row in self.households.values()), default=0)
        return [*(f"tier {tier}" for tier in range(1, tiers + 1)), "points", "value"]

    @cached_property
    def decided(self) -> list[Decided]:
        return self.stages or [(term, {term: 1}, 0) for term in self.terms]

    @cached_property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.decided]

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        return {name: terms for name, terms, _ in self.decided}

    @cached_property
    def worth(self) -> dict[tuple[str, str], int]:
        """(household, class) → its value there, spare bedrooms deducted; as if 0 where it does not accept it."""
        penalty = self.problem["spare_bedroom_penalty"]
        worth = {}
        for h, row in self.households.items():
            for c, house in self.classes.items():
                gain = value(self.problem, row, house)
                worth[h, c] = -penalty * (house["bedrooms"] - row["bedrooms_min"]) if gain is None else gain
        return worth

    @cached_property
    def options(self) -> dict[str, dict[str, list[str]]]:
        """household → settlement → classes that it may be given, all other households apart."""
        return {
            h: {
                place["id"]: [
                    c
                    for c, house in self.classes.items()
                    if house["settlement"] == place["id"]
                    and row.get("pinned") in (None, c)
                    and not any(broken for _, broken in self._unfit(row, house))
                ]
                for place in self.problem["settlements"]
            }
            for h, row in self.households.items()
        }

    def _unfit(self, row: Row, house: Row) -> Iterator[tuple[str, bool]]:
        """Rules that look at one household and its class, and whether they are broken."""
        place = house["settlement"]
        yield "bedrooms", not row["bedrooms_min"] <= house["bedrooms"] <= row["bedrooms_max"]
        yield "step_free", row["needs_step_free"] and not house["step_free"]
        yield "settlement", place in row.get("forbidden", []) or value(self.problem, row, house) is None

    def codes(self, solution: Row) -> set[str]:
        """The codes of all that is wrong with a solution that is optimal or feasible."""
        found = {"problem"} if solution["statistics"]["problem_sha256"] != self.sha256 else set()
        if "reason" in solution:
            found.add("status")
        pairs = [(row["household"], row["house_class"]) for row in solution["assignments"]]
        before = [(row["household"], row["house_class"]) for row in solution.get("previous", [])]
        nowhere = {code for code, rows in (("assignments", pairs), ("previous", before)) if not self._known(rows)}
        if nowhere:
            return found | nowhere
        home = dict(before)
        found |= {code for code, broken in self._rules(dict(pairs)) if broken}
        found |= {"lottery"} if self._out_of_turn(dict(pairs), home) else set()
        unstated = set(self._unstated(solution))
        if unstated:
            return found | unstated
        for stage in range(len(self.names)):
            found |= set(self._stage(solution, stage, dict(pairs), home))
        closed = all(row["bound"] == row["achieved"] for row in solution["stages"])
        return found if closed == (solution["status"] == "optimal") else found | {"status"}

    def _known(self, pairs: list[tuple[str, str]]) -> bool:
        asked = [household for household, _ in pairs]
        return asked == sorted(set(asked)) and all(h in self.households and c in self.classes for h, c in pairs)

    def _unstated(self, solution: Row) -> Iterator[str]:
        """Whether what was decided is what is stated."""
        stages = solution["stages"]
        if [row["name"] for row in stages] != self.names:
            yield "stages"
            return
        for row, (name, terms, may_lose) in zip(stages, self.decided, strict=True):
            if row.get("terms") != (None if terms == {name: 1} else terms):
                yield "stages"
            stated = [key in row for key in ("required", "final", "witness")]
            if stated != [may_lose > 0] * 3 or row["achieved"] - row.get("required", row["achieved"]) != may_lose:
                yield "stages"
        if [row["name"] for row in solution["certificate"]["stages"]] != self.names:
            yield "certificate"
        if ("previous" in solution) != any("keep" in terms for terms in self.counts.values()):
            yield "previous"

    def _rules(self, given: dict[str, str]) -> Iterator[tuple[str, bool]]:
        taken, others = Counter(given.values()), Counter[str]()
        used: Counter[tuple[str, str]] = Counter()
        at: dict[str, str] = {}
        for h, c in given.items():
            row, house = self.households[h], self.classes[c]
            yield from self._unfit(row, house)
            others[c] += not row["needs_step_free"]
            at[h] = house["settlement"]
            for service, places in row.get("uses", {}).items():
                used[house["settlement"], service] += places
        for c, house in self.classes.items():
            yield "class", taken[c] > house["count"]
            yield "reserved", others[c] > house["count"] - house.get("reserved", 0)
        for place in self.problem["settlements"]:
            for service, places in place.get("capacities", {}).items():
                yield "service", used[place["id"], service] > places
        kin: dict[str, set[str | None]] = {}
        for h, row in self.households.items():
            yield "pinned", row.get("pinned") not in (None, given.get(h))
            kin.setdefault(row.get("kin_group") or "/" + h, set()).add(at.get(h))
        yield from (("kin_group", len(places) > 1) for places in kin.values())

    def _out_of_turn(self, given: dict[str, str], home: dict[str, str]) -> bool:
        equals: dict[str, list[tuple[int, str]]] = {}
        for h, row in self.households.items():
            kind = repr(sorted((key, entry) for key, entry in row.items() if key not in ("id", "lottery")))
            kind += repr(home.get(h))
            equals.setdefault(kind, []).append((row.get("lottery", 0), h))
        for turns in equals.values():
            fares = [
                (False, -self.worth[h, given[h]], given[h]) if h in given else (True, 0, "") for _, h in sorted(turns)
            ]
            if fares != sorted(fares):
                return True
        return False

    def achieved(self, name: str, given: dict[str, str], home: dict[str, str]) -> int:
        rows = [self.households[h] for h in given]
        amount = Counter(f"tier {row['tier']}" for row in rows)
        amount["points"] = sum(row.get("points", 0) for row in rows)
        amount["value"] = sum(self.worth[pair] for pair in given.items())
        amount["keep"] = sum(home.get(h) == c for h, c in given.items())
        return sum(weight * amount[term] for term, weight in self.counts[name].items())

    def _stage(self, solution: Row, index: int, given: dict[str, str], home: dict[str, str]) -> Iterator[str]:
        stage = solution["stages"][index]
        name, scope = stage["name"], stage.get("scope")
        final = self.achieved(name, given, home)
        if "required" not in stage and stage["achieved"] != final:
            yield "achieved"
        if "required" in stage:
            if stage["final"] != final or final < int(stage["required"]):
                yield "final"
            if final > stage["bound"]:
                yield "bound"
            if not self._witnessed(solution["stages"][: index + 1], given, home):
                yield "witness"
        if (scope is None) != self.counts[name].keys().isdisjoint({"value", "keep"}):
            yield "scope"
            return
        if scope == "housed" and index < self._deciding():
            yield "scope"
            return
        kept = {
            row["name"]: row.get("required", self.achieved(row["name"], given, home))
            for row in solution["stages"][:index]
            if scope != "housed" or row.get("scope") == "housed"
        }
        proven = self.bound(solution["certificate"]["stages"][index], given, scope == "housed", kept, home)
        if proven is None:
            yield "certificate"
            return
        if proven != stage["price_bound"]:
            yield "price_bound"
        if not stage["achieved"] <= stage["bound"] <= stage["price_bound"]:
            yield "bound"
        if (stage["proof"] == "prices") != (stage["bound"] == stage["price_bound"]):
            yield "proof"

    def _deciding(self) -> int:
        """How many stages decide who is housed: up to the last that counts tiers or points; all of them where there is
        none, or where one of those counts where people live too, or may lose something."""
        last = max(
            (j for j, (_, terms, _) in enumerate(self.decided) if terms.keys() - {"value", "keep"}), default=None
        )
        if last is None:
            return len(self.decided)
        entangled = any(lose or terms.keys() & {"value", "keep"} for _, terms, lose in self.decided[: last + 1])
        return len(self.decided) if entangled else last + 1

    def _witnessed(self, stages: list[Row], given: dict[str, str], home: dict[str, str]) -> bool:
        """Whether the allocation that the last of the stages names keeps all that it must and gives what it says."""
        *before, stage = stages
        away = [(row["household"], row.get("house_class", "")) for row in stage["witness"]]
        if not self._known([(h, c or next(iter(self.classes))) for h, c in away]):
            return False
        other = {h: c for h, c in (given | dict(away)).items() if c}
        if any(broken for _, broken in self._rules(other)):
            return False
        if stage.get("scope") == "housed" and other.keys() != given.keys():
            return False
        kept = [(row["name"], row["required"] if "required" in row else row["achieved"]) for row in before]
        if any(self.achieved(name, other, home) < least for name, least in kept):
            return False
        return self.achieved(stage["name"], other, home) == int(stage["achieved"])

    def bound(
        self,
        certificate: Row,
        given: dict[str, str],
        housed: bool,
        kept: dict[str, int],
        home: dict[str, str] | None = None,
    ) -> int | None:
        """The floor of D; None where the certificate is none. kept: of each stage that may have a multiplier."""
        price: dict[tuple[str, ...], int] = {}
        for row in certificate["prices"]:
            resource = (row["kind"], *self._place(row))
            if row["price"] < 0 or resource in price or not self.is_scarce(row):
                return None
            price[resource] = row["price"]
        multiplier = {row["stage"]: row["multiplier"] for row in certificate["multipliers"]}
        if certificate["denominator"] < 1:
            return None
        if not multiplier.keys() <= kept.keys() or min(multiplier.values(), default=0) < 0:
            return None
        weight = Counter[str]()
        for name, times in (multiplier | {certificate["name"]: certificate["denominator"]}).items():
            for term, each in self.counts[name].items():
                weight[term] += times * each
        total = sum(amount * self._capacity[resource] for resource, amount in price.items())
        total -= sum(number * kept[name] for name, number in multiplier.items())
        units: dict[str, list[str]] = {}
        for h, row in self.households.items():
            units.setdefault(row.get("kin_group") or "/" + h, []).append(h)
        for members in units.values():
            if housed and not any(h in given for h in members):
                continue
            forced = any((h in given) if housed else bool(self.households[h].get("pinned")) for h in members)
            sums = [] if forced else [0]
            for place in self.problem["settlements"]:
                best = [self._best(h, place["id"], weight, price, home or {}) for h in members]
                if all(scores for scores in best):
                    sums.append(sum(max(scores) for scores in best))
            total += max(sums, default=0)
        return int(total // certificate["denominator"])

    def _best(
        self, h: str, place: str, weight: dict[str, int], price: dict[tuple[str, ...], int], home: dict[str, str]
    ) -> list[int]:
        row = self.households[h]
        gives = weight.get(f"tier {row['tier']}", 0) + weight.get("points", 0) * row.get("points", 0)
        for service, places in row.get("uses", {}).items():
            gives -= price.get(("service", place, service, ""), 0) * places
        scores = []
        for c in self.options[h][place]:
            score = gives + weight.get("value", 0) * self.worth[h, c] - price.get(("class", "", "", c), 0)
            score += weight.get("keep", 0) * (home.get(h) == c)
            scores.append(score if row["needs_step_free"] else score - price.get(("unreserved", "", "", c), 0))
        return scores

    def is_scarce(self, price: Row) -> bool:
        """Whether a price is one of a resource of the problem."""
        return (price["kind"], *self._place(price)) in self._capacity

    @staticmethod
    def _place(price: Row) -> tuple[str, ...]:
        return price.get("settlement", ""), price.get("service", ""), price.get("class", "")

    @cached_property
    def _capacity(self) -> dict[tuple[str, ...], int]:
        capacity: dict[tuple[str, ...], int] = {}
        for c, house in self.classes.items():
            capacity["class", "", "", c] = house["count"]
            capacity["unreserved", "", "", c] = house["count"] - house.get("reserved", 0)
        for place in self.problem["settlements"]:
            for service, places in place.get("capacities", {}).items():
                capacity["service", place["id"], service, ""] = places
        return capacity
