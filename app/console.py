"""What the command line prints: tables for people, one line for the rest."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from time import sleep

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from app import interrupts
from app.access.permissions import OPERATOR
from app.allocation import queries
from app.allocation.models import Run, RunState
from app.allocation.offer_models import Offer, OfferState
from app.allocation.placement_models import Placement
from app.allocation.placement_prices import in_words
from app.allocation.report import RunReport, run_report
from app.allocation.solving import Progress
from app.database import Database, utc_now
from app.errors import Conflict
from app.exchange.imports import ImportReport
from app.exchange.refusals import ImportRefused
from app.keys import Keyring
from app.policy.occupancy import Need
from app.settings import Settings
from app.tenancy.deadlines import Deadline
from app.worker import SILENT_FOR, work_one

SHOWN_REFUSALS = 20
LOOK_SECONDS = 0.3
MOST_SIZES = 8
WIDEST = 100_000
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""

out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
"""What is printed is what was entered: a name may hold what Rich would read as markup or as the code of an emoji."""


def say(sentence: str) -> None:
    """Print one line as it is."""
    out.print(sentence)


def fail(sentence: str, *more: str) -> None:
    """Print what was refused or failed on standard error, and nothing that a terminal would obey."""
    for line in (f"hearth: {sentence}", *(f"  {each}" for each in more)):
        errors.print(UNPRINTABLE.sub("\ufffd", line))


def show_refused(refused: ImportRefused) -> None:
    """Print the wrong rows of an import, on a terminal the first of them, and the count of the rest."""
    shown = refused.rows[:SHOWN_REFUSALS] if errors.is_terminal else refused.rows
    rest = len(refused.rows) - len(shown) + refused.more
    fail("Nothing was imported.", *(row.sentence for row in shown), *([f"… and {rest:,} more."] if rest else []))


def show_import(report: ImportReport) -> None:
    """Print what an import did, by table."""
    table = Table("table", box=None, header_style="bold")
    for column in ("added", "changed", "unchanged"):
        table.add_column(column, justify="right")
    for name, counts in report.tables.items():
        table.add_row(name, f"{counts.created:,}", f"{counts.changed:,}", f"{counts.unchanged:,}")
    out.print(table)
    say(report.sentence)
    if report.possible_duplicates:
        say(f"{report.possible_duplicates:,} pairs of households may be one: `hearth duplicates list` names them.")


def show_need(found: Need) -> None:
    """Print a need and the reason for each member."""
    say(f"{found.amount} {found.measure.value.replace('_', ' ')}  ({found.standard}, version {found.version})")
    for reason in found.reasons:
        say(f"  {reason.member}: {reason.sentence}")


def _progress_line(progress: Progress) -> Text:
    if not progress:
        return Text("Solving …")
    last = progress[-1]
    bound = "?" if last["bound"] is None else f"{last['bound']:,}"
    # A policy names its stages, and a status reads plain strings as markup whatever the console does.
    return Text(f"Solving: {last['stage']}, {last['achieved']:,} of at most {bound}, {last['seconds']:.1f} s")


def follow(database: Database, settings: Settings, reference: str) -> None:
    """Work the queue until the run is solved, or watch whoever does, with a live line. Raises Conflict if it fails.

    A worker that has been silent for too long is replaced. On Ctrl+C the run goes back to the queue.
    """
    with interrupts.deferred() as interrupted, out.status("Waiting …") as line:
        while not interrupted.is_set():
            with database.session(writes=False) as session:
                run = queries.run_in_short(session, OPERATOR, reference)
                state, progress, failure = run.state, run.progress, run.failure
                is_left = run.heartbeat_at is not None and run.heartbeat_at < utc_now() - SILENT_FOR
            if state is RunState.QUEUED or (state is RunState.SOLVING and is_left):
                work_one(
                    database,
                    settings,
                    stopping=interrupted,
                    watch=lambda found: line.update(_progress_line(found)),
                )
            elif state is RunState.SOLVING:
                line.update(_progress_line(progress))
                sleep(LOOK_SECONDS)
            else:
                break
    if state in (RunState.FAILED, RunState.CANCELLED):
        raise Conflict(f"{reference} is {state.value}. {failure or ''}".strip())


def show_run(session: Session, run: Run) -> None:
    """Print who got what, and end with the line that names the proof."""
    if run.solution is None:
        say(f"{run.reference} is {run.state.value}. {run.failure or ''}".strip())
        return
    report = run_report(session, run)
    say(f"\n{report.reference} is {report.state.value}")
    _show_houses(report)
    _show_tiers(report)
    _show_not_housed(session, run, report)
    if report.moves is not None:
        kept, moved, ended = (len(each) for each in (report.moves.kept, report.moves.moved, report.moves.lost))
        say(
            f"\nReserved before and not accepted: {kept:,} keep their house, {moved:,} get another, {ended:,} get none."
        )
    for price in run.placement_prices or ():
        say(f"\n{in_words(price)}")
    say(f"\n{report.proof}")


def _show_houses(report: RunReport) -> None:
    sizes = sorted({houses.size for houses in report.houses})
    table = Table("settlement", box=None, header_style="bold", title="Houses allocated, of those available")
    unit = report.measure.removesuffix("s").replace("_", " ")
    if len(sizes) > MOST_SIZES:  # floor areas: hardly two houses are alike
        sizes = []
    for size in sizes:
        table.add_column(f"{size} {unit}{'' if size == 1 else 's'}", justify="right")
    table.add_column("all", justify="right")
    counted: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for houses in report.houses:
        used, available = counted[houses.settlement].get(houses.size, (0, 0))
        counted[houses.settlement][houses.size] = (used + houses.used, available + houses.available)
    for settlement, row in counted.items():
        whole = tuple(sum(pair[part] for pair in row.values()) for part in (0, 1))
        cells = [f"{row[size][0]} of {row[size][1]}" if size in row else "" for size in sizes]
        table.add_row(settlement, *cells, f"{whole[0]} of {whole[1]}")
    out.print(table)


def _show_tiers(report: RunReport) -> None:
    table = Table("tier", box=None, header_style="bold", title="\nHouseholds housed, of those eligible")
    for column in ("housed", "eligible", ""):
        table.add_column(column, justify="right")
    for tier in report.tiers:
        share = f"{tier.housed / tier.households:.0%}" if tier.households else ""
        table.add_row(str(tier.tier), f"{tier.housed:,}", f"{tier.households:,}", share)
    out.print(table)
    stages = Table("stage", box=None, header_style="bold", title="\nProof, stage by stage")
    for column in ("achieved", "bound", "proof"):
        stages.add_column(column, justify="right")
    for stage in report.stages:
        stages.add_row(stage.name, f"{stage.achieved:,}", f"{stage.bound:,}", str(stage.proof))
    out.print(stages)


def _show_not_housed(session: Session, run: Run, report: RunReport) -> None:
    if not report.not_housed:
        return
    examples = queries.examples_not_housed(session, run)
    say("\nNot housed")
    for reason, households in report.not_housed:
        household, sentence = examples[reason]
        say(f"  {households:,} × {reason.replace('_', ' ')}; {household}: {sentence}")


def show_keys(keyring: Keyring, uses: Mapping[str, int]) -> None:
    """Print the keys of `keyring`, one to a line, with how many texts each encrypts."""
    table = Table("key", "made", "texts", "", box=None, header_style="bold")
    current = keyring.current.id
    for key in keyring.keys:
        mark = "current" if key.id == current else ""
        table.add_row(key.id, f"{key.made_at:%Y-%m-%d %H:%M} UTC", f"{uses.get(key.id, 0):,}", mark)
    out.print(table)


def show_offers(offers: Iterable[tuple[Offer, Deadline]]) -> None:
    """Print offers, one to a line, with the last day for an answer of those that wait for one."""
    table = Table("offer", "state", "answer by", "household", "house", "settlement", box=None, header_style="bold")
    for offer, deadline in offers:
        until = f"{deadline.last_day}{' (paused)' if deadline.is_paused else ''}"
        table.add_row(
            offer.reference,
            offer.state.value,
            until if offer.state is OfferState.ISSUED else "",
            offer.household.reference,
            offer.house.reference,
            offer.house.settlement.name,
        )
    out.print(table)


def show_runs(runs: Sequence[Run]) -> None:
    """Print runs, one to a line."""
    table = Table("run", "state", "requested", "settlements", box=None, header_style="bold")
    for run in runs:
        names = ", ".join(part.settlement.name for part in run.settlements)
        table.add_row(run.reference, run.state.value, f"{run.requested_at:%Y-%m-%d %H:%M} UTC", names)
    out.print(table)


def show_placements(placements: Sequence[Placement]) -> None:
    """Print placements, one to a line."""
    table = Table("placement", "state", "household", "decided", "reason", box=None, header_style="bold")
    for each in placements:
        where = each.settlement.name if each.house is None else f"{each.house.reference}, {each.settlement.name}"
        table.add_row(each.reference, each.state.value, each.household.reference, f"{each.kind} {where}", each.reason)
    out.print(table)


def show_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows of plain texts under their columns, each on one line: a reference is found and copied whole."""
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    table.width = out.measure(table, options=out.options.update(max_width=WIDEST)).maximum
    out.print(table)


def show_sign_ins(settings: Settings, sign_ins: Iterable[tuple[str, str, str]]) -> None:
    """Print how to look around."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{settings.port}"
    say(f"\nHearth is at {address}, its API at {address}/docs. Sign in as:\n")
    first = ""
    for username, password, token in sign_ins:
        say(f"  {username:<11} password {password or '(changed since)'}")
        say(f"  {'':<11} token    {token}")
        first = first or token
    say(f"\nTry: curl -H 'Authorization: Bearer {first}' {address}/api/v1/households?limit=3")
    say("Stop with Ctrl+C.")
    sys.stdout.flush()
