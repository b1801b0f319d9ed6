"""How long a letter takes to render: `python -m benchmarks.letters [--letters 200]`.

Offers of a house to invented families, in each language; the first letter, which reads fonts and template, is counted
apart. Prints milliseconds of processor time and on the clock, and the size of a PDF.
"""

import argparse
import os
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

from rich.console import Console

from app import keys
from app.languages.words import SCRIPTS, words_for
from app.letters import content, letters, rendering
from app.letters.content import Addressee, AppealRules, OfferTold
from benchmarks.tables import Table


def letter(language: str, number: int) -> letters.Letter:
    """Return an offer like no other."""
    words = words_for(language)
    offer = OfferTold(
        reference=f"OF-{number:08}",
        place="Valley",
        address=f"Street {number}, house 1",
        size=words.count("{number} bedroom", "{number} bedrooms", 1 + number % 4),
        house=f"HO-{number:08}",
        answer_until=date(2026, 12, 18),
        state="issued",
        ended_on=None,
        declining_costs_place=False,
    )
    return letters.put_together(
        programme="Return and resettlement",
        addressee=Addressee(f"HH-{number:08}", f"AP-{number:08}", f"Amina Kovalenko {number}"),
        written_on=date(2026, 11, 27),
        about=offer,
        sections=[
            content.about_offer(offer, words),
            content.what_you_can_do(AppealRules(date(2026, 12, 27), 30), words),
        ],
        words=words,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=200)
    number: int = parser.parse_args().letters
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEARTH_KEYS_FILE"] = str(keys.make(Path(folder) / "keys.json").path)
        began = time.process_time()
        rendering.pdf(letter("en", 0))
        first = 1000 * (time.process_time() - began)
        table = Table(
            f"Letters, {number} in each language; the first of all {first:.0f} ms", ["", "CPU", "median", "p95", "kB"]
        )
        for language in SCRIPTS:
            clock, sizes, began = [], [], time.process_time()
            for each in range(number):
                start = time.perf_counter()
                sizes.append(len(rendering.pdf(letter(language, each))))
                clock.append(1000 * (time.perf_counter() - start))
            spent = 1000 * (time.process_time() - began) / number
            p95 = statistics.quantiles(clock, n=20)[-1]
            table.rows.append(
                [
                    language,
                    f"{spent:.1f} ms",
                    f"{statistics.median(clock):.1f} ms",
                    f"{p95:.1f} ms",
                    f"{statistics.mean(sizes) / 1000:.0f}",
                ]
            )
        Console().print(table)


if __name__ == "__main__":
    main()
