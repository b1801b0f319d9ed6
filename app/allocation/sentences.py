"""What decided, said to the family itself: plain sentences in its language, from a reason and its grounds.

They blame nobody and name no other family.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from app.allocation import placed
from app.allocation.grounds import Grounds
from app.languages.words import Phrase, Words
from app.policy.assess import Service
from app.policy.eligibility import Ineligibility
from app.policy.occupancy import Measure
from solver.counterfactual import Kind
from solver.explain import Reason

Sentences = Sequence[str]


def reasons(reason: str, grounds: Grounds, words: Words) -> Sentences:
    """Return why a household has the house it has, or none."""
    if "codes" in grounds:
        return why_ineligible(grounds["codes"], words)
    decided = grounds.get("placed", [])
    if placed.is_how(decided, *placed.GIVES_HOUSE) and reason == Reason.HOUSED:
        found: Sentences = [_given(grounds, words)]
    elif placed.is_how(decided, placed.How.ELSEWHERE):
        found = [_none(words)]
    else:
        found = REASONS[Reason(reason)](grounds, words)
    return [*found, *placed.told(decided, words)]


def is_ineligible(reason: str) -> bool:
    """Whether a reason says that a household cannot take part."""
    return reason not in set(Reason)


def why_ineligible(codes: list[str], words: Words) -> Sentences:
    """Return why a household cannot take part, and what it can do about it."""
    found = [
        words.count(
            "At present your family cannot take part in the allocation, for this reason:",
            "At present your family cannot take part in the allocation, for these reasons:",
            len(codes),
        )
    ]
    found += [ineligibility(code, words) for code in codes]
    return [*found, words.say("If this is not right, or has changed, tell your caseworker: it can be corrected.")]


def ineligibility(code: str, words: Words) -> Phrase:
    """Return one reason why a household cannot take part."""
    said = INELIGIBLE.get(code)
    if said is None:
        return words.say("Another condition of the programme is not met. Your caseworker can tell you which.")
    return said(words)


def house(grounds: Grounds, words: Words) -> Phrase:
    """Return a house in a word: where it is, and its size."""
    return words.say("{place}: {size}", place=grounds["place"], size=size(grounds, words))


def size(grounds: Grounds, words: Words) -> Phrase:
    """Return how large a house is, and whether it is step-free."""
    return _with_access(_amount(grounds["size"], grounds["size"], grounds["measure"], words), grounds, words)


def _need(grounds: Grounds, words: Words) -> Phrase:
    need = grounds["need"]
    return _with_access(_amount(need["least"], need["most"], need["measure"], words), need, words)


def _amount(least: int, most: int, measure: str, words: Words) -> Phrase:
    span = Phrase(words.number(most) if least == most else f"{words.number(least)}–{words.number(most)}")
    if measure == Measure.FLOOR_AREA_M2:
        return words.say("{number} m²", number=span)
    if measure == Measure.ROOMS:
        return words.count("{number} room", "{number} rooms", most, number=span)
    if most == 0:
        return words.say("no separate bedroom")
    return words.count("{number} bedroom", "{number} bedrooms", most, number=span)


def _with_access(amount: Phrase, grounds: Grounds, words: Words) -> Phrase:
    return words.say("{size}, step-free access", size=amount) if grounds["step_free"] else amount


def _service(grounds: Grounds, words: Words) -> Phrase:
    if grounds["service"] == Service.SCHOOL:
        said = words.say("{place}: places at school", place=grounds["place"])
    else:
        said = words.say("{place}: places at the clinic", place=grounds["place"])
    return words.say("{service} (+{number})", service=said, number=grounds["more"]) if "more" in grounds else said


def _services(grounds: Grounds, words: Words) -> Phrase:
    return words.listed([_service(each, words) for each in grounds["services"]], grounds.get("more_services", 0))


def _housed(grounds: Grounds, words: Words) -> Sentences:
    found = [_given(grounds, words)]
    if not grounds["better"]:
        return [*found, words.say("No other house of this allocation would have met your wishes better.")]
    better = words.listed([house(each, words) for each in grounds["better"]], grounds["more_better"])
    return [
        *found,
        words.say(
            "By your wishes, this kind of house is number {rank} among those that fit your family.",
            rank=grounds["rank"],
        ),
        words.say("These would have met your wishes better: {houses}.", houses=better),
        words.say("They went to other families, or giving one of them to you would have made others lose more."),
    ]


def given_up(grounds: Grounds, words: Words) -> Phrase:
    """Return that the house which a run gave is not reserved any more."""
    return words.say(
        "This house was reserved for you, and is not any more: {house}.", house=house(grounds["house"], words)
    )


def had(grounds: Grounds, keys_given_on: date, until: date | None, words: Words) -> Phrase:
    """Return that the family had the house which a run gave until a day, or None, where it is unfit to live in now."""
    told = house(grounds["house"], words)
    if until is not None:
        return words.say("You had this house until {date}: {house}.", date=until, house=told)
    return words.say(
        "You got the keys of this house on {date}, and nobody can live in it now: {house}.",
        date=keys_given_on,
        house=told,
    )


def _given(grounds: Grounds, words: Words) -> Phrase:
    return words.say("You have been given this house: {house}.", house=house(grounds["house"], words))


def _no_class_fits(grounds: Grounds, words: Words) -> Sentences:
    need = _need(grounds, words)
    return [_none(words), words.say("No house of this allocation fits what your family needs: {need}.", need=need)]


def _not_asked_for(grounds: Grounds, words: Words) -> Sentences:
    found = [_none(words), words.say("Your family needs: {need}.", need=_need(grounds, words))]
    if grounds["places"]:
        places = words.listed(grounds["places"], grounds["more_places"])
        found.append(words.say("There are such houses in places that you did not ask for: {places}.", places=places))
    if apart := grounds.get("apart"):
        places = words.listed(apart["places"], apart["more_places"])
        found += [
            words.say("There are such houses in places where none of your relatives is: {places}.", places=places),
            words.say("You asked to live near your relatives, and some of them were given a house elsewhere before."),
        ]
    if declined := grounds.get("declined"):
        places = words.listed(declined["places"], declined["more_places"])
        found += [
            words.say("There are such houses in places where you declined an offer: {places}.", places=places),
            words.say("If you want to be offered a house there again, tell your caseworker."),
        ]
    return found


def _taken_by_priority(grounds: Grounds, words: Words) -> Sentences:
    found = [
        _none(words),
        words.say(
            "Every house that fits your family, where you want to live, went to families in a priority group before "
            "yours or with more points."
        ),
        _own_priority(grounds, words),
        words.say(
            "The last family that got such a house: priority group {tier}, points {points}.",
            tier=grounds["lowest_tier"],
            points=grounds["lowest_points"],
        )
        if grounds["lowest_tier"]
        else words.say("Before all others come families whose appeal was upheld."),
    ]
    if grounds["bound"]:
        found.append(words.say("Some of these houses went to families whose relatives are housed in the same place."))
    return [*found, *_by_hand(grounds, words)]


def _by_hand(grounds: Grounds, words: Words) -> Sentences:
    if "by_hand" not in grounds:
        return []
    return [words.say("Some of these houses went to families for which people decided so, and not the calculation.")]


def _own_priority(grounds: Grounds, words: Words) -> Phrase:
    return words.say(
        "Your priority group: {tier}. Your points: {points}.", tier=grounds["tier"], points=grounds["points"]
    )


def _passed_over(grounds: Grounds, words: Words) -> Sentences:
    return [
        *_claim(grounds, words),
        words.say("No rule says so: the calculation ended before it found the best allocation. You may appeal."),
    ]


def _claim(grounds: Grounds, words: Words) -> Sentences:
    return [
        _none(words),
        words.say("A house that fits your family was given to nobody.")
        if grounds["is_empty"]
        else words.say(
            "A house that fits your family went to a family in a priority group after yours or with fewer points."
        ),
        _own_priority(grounds, words),
    ]


def _order_of_programme(grounds: Grounds, words: Words) -> Sentences:
    counted = words.listed([COUNTED[term](words) for term in grounds["counted"]])
    return [
        *_claim(grounds, words),
        words.say(
            "By the order that the programme set, something else counts before priority groups and points, or together "
            "with them: {counted}.",
            counted=counted,
        )
        if counted
        else words.say(
            "By the order that the programme set, it is not first the priority group and then the points that decide."
        ),
    ]


COUNTED: Mapping[str, Callable[[Words], Phrase]] = {
    "value": lambda words: words.say("how well houses suit families and their wishes"),
    "keep": lambda words: words.say("that families keep the house reserved for them"),
}
"""What a programme's order may count beside priority groups and points → what the family is told."""


def _services_full(grounds: Grounds, words: Words) -> Sentences:
    return [
        _none(words),
        words.say(
            "Where you want to live, too few places are left for your family: {services}.",
            services=_services(grounds, words),
        ),
    ]


def _kin_not_whole(grounds: Grounds, words: Words) -> Sentences:
    found = [
        _none(words),
        words.say("You asked to live near your relatives, and all of you have to be housed in one place."),
        words.say(
            "Even in the place where least is missing there is not enough for all of you: {place}.",
            place=grounds["place"],
        ),
    ]
    if missing := grounds["without_house"]:
        found.append(words.count("{number} house is missing there.", "{number} houses are missing there.", missing))
    return found


def _lost_lottery(grounds: Grounds, words: Words) -> Sentences:
    return [
        _none(words),
        words.say("More families with the same priority and the same wishes as yours asked than there are houses."),
        words.say(
            "A draw of lots that anyone can check decided. Your number was {number}; the last that won was {last}.",
            number=grounds["lottery"],
            last=grounds["last_lottery"],
        ),
    ]


def _equals_fit_better(grounds: Grounds, words: Words) -> Sentences:
    return [
        _none(words),
        words.say(
            "Families with the same priority as yours got the houses that fit you: they suit those families more."
        ),
        _own_priority(grounds, words),
    ]


def _held_together(grounds: Grounds, words: Words) -> Sentences:
    if not grounds.get("bound", True):
        return [
            _none(words),
            words.say(
                "Houses that fit you went to families after you in the order, because people decided so, and not the "
                "calculation."
            ),
        ]
    return [
        _none(words),
        words.say(
            "Some houses that fit you went to families after you in the order, because those stay with their relatives "
            "or need fewer of the places that are short, at school or at the clinic."
        ),
        *_by_hand(grounds, words),
    ]


def _none(words: Words) -> Phrase:
    return words.say("There is no house for you in this allocation. You stay on the list, and keep your place.")


REASONS: Mapping[Reason, Callable[[Grounds, Words], Sentences]] = {
    Reason.HOUSED: _housed,
    Reason.NO_CLASS_FITS: _no_class_fits,
    Reason.NOT_ASKED_FOR: _not_asked_for,
    Reason.TAKEN_BY_PRIORITY: _taken_by_priority,
    Reason.ORDER_OF_PROGRAMME: _order_of_programme,
    Reason.PASSED_OVER: _passed_over,
    Reason.SERVICES_FULL: _services_full,
    Reason.KIN_NOT_WHOLE: _kin_not_whole,
    Reason.LOST_LOTTERY: _lost_lottery,
    Reason.EQUALS_FIT_BETTER: _equals_fit_better,
    Reason.HELD_TOGETHER: _held_together,
}

INELIGIBLE: Mapping[str, Callable[[Words], Phrase]] = {
    Ineligibility.NO_CONSENT: lambda words: words.say("We have no record that you agreed to take part."),
    Ineligibility.NOT_DISPLACED: lambda words: words.say("We have no record of when and from where you had to leave."),
    Ineligibility.ALREADY_HOUSED: lambda words: words.say(
        "A house of this programme is reserved for you, or you live in one."
    ),
    Ineligibility.NO_MEMBERS: lambda words: words.say("Nobody is registered as a member of your family."),
    Ineligibility.NO_HEAD: lambda words: words.say("Nobody is registered as the head of your family."),
    Ineligibility.SEVERAL_HEADS: lambda words: words.say(
        "More than one person is registered as the head of your family."
    ),
    Ineligibility.NO_ADULT: lambda words: words.say("No adult is registered in your family."),
    Ineligibility.OWNS_HOME: lambda words: words.say("Our records say that you live in a home of your own."),
    Ineligibility.WAITS_AFTER_DECLINES: lambda words: words.say(
        "You declined offers, and by the rules of the programme you take part again later. Your caseworker can tell "
        "you when."
    ),
}


def smallest_change(found: Grounds, words: Words) -> Sentences:
    """Return what would have housed a household, or that no change that was tried would have; none, where none was."""
    first = found["verified"]
    if first is None and not found["tried"]:
        return []
    if first is None:
        return [
            words.say(
                "We tried small changes, such as one more house or other wishes. With none of them would you have got "
                "a house in this allocation."
            )
        ]
    said = [CHANGES[Kind(first["kind"])](first, words)]
    if not first["proven"]:
        said.append(words.say("This is what the calculation found in the time it had; it is not certain."))
    if first["kind"] in (Kind.ANY_SETTLEMENT, Kind.WITHOUT_KIN, Kind.HOUSE_ELSEWHERE):
        said.append(words.say("You need not change your wishes: nobody holds them against you."))
    return [*said, words.say("It promises nothing for the next allocation.")]


CHANGES: Mapping[Kind, Callable[[Grounds, Words], Phrase]] = {
    Kind.ANY_SETTLEMENT: lambda found, words: words.say(
        "You would have got a house in this allocation if you had accepted any place to live. It would have been in "
        "this place: {place}.",
        place=found["place"],
    ),
    Kind.WITHOUT_KIN: lambda found, words: words.say(
        "You would have got a house in this allocation if you had applied apart from your relatives. It would have "
        "been in this place: {place}.",
        place=found["place"],
    ),
    Kind.PLACES: lambda found, words: words.say(
        "You would have got a house in this allocation if there had been more places: {services}.",
        services=_services(found, words),
    ),
    Kind.HOUSE: lambda found, words: words.say(
        "You would have got a house in this allocation if there had been one more: {house}.",
        house=house(found["house"], words),
    ),
    Kind.HOUSE_ELSEWHERE: lambda found, words: words.say(
        "You would have got a house in this allocation if you had accepted any place to live, and there had been one "
        "more house: {house}.",
        house=house(found["house"], words),
    ),
}
