"""Sweeping the whole register: by the rules, and, where it is installed, by a statistical model of the register.

The model (splink, Fellegi-Sunter) learns from the register itself how often names and dates agree by chance, so that a
rare name says more than a common one. What it finds beyond the rules goes to the same queue, and to the same people.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import Unavailable
from app.registry import duplicates, names
from app.registry.duplicates import Pair
from app.registry.match_keys import is_looked_for
from app.registry.models import Household, Person

LIKELY = 0.95
"""Probability from which on the model names two people."""
EXPECTED_TWICE = 0.01
"""Share of people who are expected to be registered twice: what the model takes for granted before it looks."""
MOST_SAMPLED_PAIRS = 1_000_000
SEED = 1
FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class Swept:
    """How many pairs a sweep has newly found, by the rules and by the model."""

    by_rules: int
    by_model: int


def sweep(session: Session, actor: Principal, *, with_model: bool) -> Swept:
    """Compare the whole register and note who may be there twice.

    Raises Forbidden unless `actor` may decide on duplicates everywhere, and Unavailable, saying what to install, for a
    model that is not there.
    """
    actor.require(Permission.DUPLICATE_DECIDE)
    if with_model:
        _model()  # before anything is done
    by_rules = duplicates.look_everywhere(session)
    found = Swept(by_rules, duplicates.note_model(session, likely(session)) if with_model else 0)
    audit.record(session, actor, Act.DUPLICATE_SWEEP, details={"by_rules": found.by_rules, "by_model": found.by_model})
    return found


def _model() -> Any:
    try:
        import splink
    except ImportError as error:
        raise Unavailable(
            "The statistical model is not installed. Install it with `pip install 'hearth[sweep]'`, or sweep without."
        ) from error
    return splink


def likely(session: Session) -> dict[Pair, tuple[str, str]]:
    """Return the pairs of households of whom the model takes somebody for one, with the likeliest two people."""
    people = _people(session)
    if len(people) < FEWEST_PEOPLE:
        return {}
    found: dict[Pair, tuple[float, tuple[str, str]]] = {}
    by_reference = {each["unique_id"]: each["household"] for each in people}
    for row in _predicted(people):
        ends = sorted((by_reference[row[f"unique_id_{side}"]], row[f"unique_id_{side}"]) for side in ("l", "r"))
        (first, one), (second, other) = ends
        best = (row["match_probability"], (one, other))
        if first != second and best > found.get((first, second), (0.0, ("", ""))):
            found[first, second] = best
    return {pair: of_people for pair, (_, of_people) in found.items()}


def _people(session: Session) -> list[dict[str, Any]]:
    rows = session.execute(
        select(
            Person.reference,
            Person.household_id,
            Person.given_name,
            Person.family_name,
            Person.birth_date,
            Household.phone_index,
        )
        .join(Person.household)
        .where(is_looked_for())
        .order_by(Person.id)
    )
    found = []
    for reference, household, given, family, born, phone in rows:
        given_words, family_words = names.words(given), names.family_words(family)
        found.append(
            {
                "unique_id": reference,
                "household": household,
                "given": given_words[0],
                "family": "".join(family_words),
                "bones": "+".join(sorted(map(names.consonants, (given_words[0], "".join(family_words))))),
                "born_on": born.isoformat(),
                "phone": phone,
            }
        )
    return found


def _predicted(people: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the pairs of people whom the model takes for one. In memory: nothing is written to a file."""
    splink = _model()
    import duckdb
    from splink import comparison_library as comparisons

    name_odds, date_odds = [0.75, 0.12, 0.08, 0.05], [0.80, 0.10, 0.05, 0.05]
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        probability_two_random_records_match=2 * EXPECTED_TWICE / len(people),
        comparisons=[
            comparisons.JaroWinklerAtThresholds("given", [0.92, 0.84]).configure(
                m_probabilities=name_odds, term_frequency_adjustments=_repeats(people, "given")
            ),
            comparisons.JaroWinklerAtThresholds("family", [0.92, 0.84]).configure(
                m_probabilities=name_odds, term_frequency_adjustments=_repeats(people, "family")
            ),
            comparisons.DamerauLevenshteinAtThresholds("born_on", [1, 2]).configure(m_probabilities=date_odds),
            comparisons.ExactMatch("phone").configure(m_probabilities=[0.6, 0.4]),
        ],
        blocking_rules_to_generate_predictions=[
            splink.block_on("bones"),
            splink.block_on("born_on", "substr(given, 1, 1)"),
            splink.block_on("phone", "given"),
        ],
        retain_matching_columns=False,
    )
    memory = duckdb.connect(":memory:", config={"temp_directory": ""})  # names are not spilled to a disk
    tables = splink.DuckDBAPI(memory)
    linker = splink.Linker(tables.register(people), settings, log_level=logging.ERROR)
    linker.training.estimate_u_using_random_sampling(max_pairs=MOST_SAMPLED_PAIRS, seed=SEED)
    found: list[Mapping[str, Any]] = linker.inference.predict(threshold_match_probability=LIKELY).as_record_list()
    return found


def _repeats(people: list[dict[str, Any]], column: str) -> bool:
    """Whether anything is there more than once: how common a value is says something only then."""
    return any(count > 1 for count in Counter(each[column] for each in people).values())
