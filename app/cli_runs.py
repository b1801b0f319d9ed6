"""hearth run …: requesting runs, following them, checking them and deciding on what they propose."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from app import console, private_files
from app.access.permissions import OPERATOR
from app.allocation import bundle, bundle_check, proof, queries, runs, what_ifs
from app.allocation.models import Run
from app.allocation.report import run_report
from app.cli_options import ActingAs, sentence
from app.database import Database
from app.errors import Conflict, FieldError, Invalid
from app.opening import acting, opened, settlement_named
from app.pagination import LARGEST
from app.references import normalised
from app.settings import Settings

run_commands = typer.Typer(help="Allocation runs. Without a command: request one.", invoke_without_command=True)
RunReference = Annotated[str, typer.Argument(metavar="RUN", help="Public reference of the run.")]


@run_commands.callback()
def request_run(
    context: typer.Context,
    settlement: Annotated[
        list[str] | None, typer.Option(help="Settlement to allocate (reference or key); every ready one if left out.")
    ] = None,
    seed_source: Annotated[
        str | None,
        typer.Option(
            parser=sentence,
            metavar="TEXT",
            help="Where a public seed will come from; the run waits until it is entered.",
        ),
    ] = None,
    time_limit: Annotated[int | None, typer.Option(help="Seconds to search.", min=1, max=86_400)] = None,
    move_issued: Annotated[
        bool, typer.Option("--move-issued", help="Allocate again what is reserved and not accepted, with fewest moves.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Solve it, show progress, and end with the proof.")] = False,
    username: ActingAs = None,
) -> None:
    """Request a run: freeze the register and the stock, and queue the solution."""
    if context.invoked_subcommand is not None:
        if any(value not in (None, False, ()) for value in context.params.values()):
            context.fail("Options of a request go without a command; give --as after it.")
        return
    settings = Settings()
    with opened() as database:
        with database.session(writes=True) as session:
            run = runs.request(
                session,
                settlements=[settlement_named(session, name).reference for name in settlement] if settlement else None,
                time_limit_seconds=time_limit or settings.solver_time_limit_seconds,
                actor=acting(session, username),
                seed_source=seed_source,
                move_issued=move_issued,
            )
        console.say(f"Requested {run.reference}; snapshot SHA-256 {run.snapshot_sha256}.")
        if seed_source is not None:
            console.say(
                f"Publish that hash now. Once the source has given the seed: hearth run seed {run.reference} SEED"
            )
        elif wait:
            _follow(database, settings, run.reference)


def _follow(database: Database, settings: Settings, reference: str) -> None:
    try:
        console.follow(database, settings, reference)
    except KeyboardInterrupt:
        console.fail(f"Stopped. `hearth run follow {reference}` goes on, `hearth run cancel {reference}` ends the run.")
        raise
    _print_run(database, reference)


@run_commands.command("follow")
def follow_run(reference: RunReference) -> None:
    """Solve a run, or watch whoever does, with its progress, and end with the proof."""
    with opened() as database:
        _follow(database, Settings(), normalised(reference))


def _print_run(database: Database, reference: str) -> None:
    with database.session(writes=False) as session:
        console.show_run(session, queries.run(session, OPERATOR, normalised(reference)))


@run_commands.command("show")
def show_run(reference: RunReference) -> None:
    """Print who got what, and the proof."""
    with opened() as database:
        _print_run(database, reference)


@run_commands.command("list")
def list_runs() -> None:
    """Print every run, the newest first."""
    with opened() as database, database.session(writes=False) as session:
        console.show_runs(session.scalars(queries.runs(OPERATOR).order_by(Run.id.desc())).unique().all())


@run_commands.command("smallest-changes")
def ask_smallest_changes(reference: RunReference, username: ActingAs = None) -> None:
    """Ask what would have housed each family without a house. Workers solve it; explanations and letters tell it."""
    asked, left = 0, 1
    with opened() as database:
        while left:  # transaction by transaction: others write between them
            with database.session(writes=True) as session:
                now, left = what_ifs.ask_of_run(session, normalised(reference), LARGEST, acting(session, username))
            asked += now
    console.say(f"Asked for {asked:,} families. Print their letters once it is answered.")


@run_commands.command("bundle")
def bundle_run(
    reference: RunReference,
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="A new file to write it to.")],
) -> None:
    """Write everything that proves a run into one file, for its owner alone to read, to check without the database."""
    with opened() as database, database.session(writes=False) as session:
        content = bundle.write(session, queries.run(session, OPERATOR, normalised(reference)))
    try:
        with private_files.created(file) as written:
            written.write(content)
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}.") from error
    console.say(f"Wrote {file}; SHA-256 {sha256(content).hexdigest()}.")


@run_commands.command("verify")
def verify_run(
    what: Annotated[str, typer.Argument(metavar="RUN|FILE.zip", help="A run of this database, or a proof bundle.")],
    published: Annotated[
        str | None, typer.Option(metavar="SHA256", help="The hash that was published before the seed.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="SEED", help="The seed, as its announced source published it.")
    ] = None,
) -> None:
    """Check a run again from its documents: hashes, lottery, solution, certificate and draw. Exit 1 if any is wrong.

    A bundle is checked from the file alone, without any database.
    """
    if not normalised(what):
        _verify_bundle(Path(what), published, seed)
        return
    reference = what
    with opened() as database, database.session(writes=False) as session:
        run = queries.run(session, OPERATOR, normalised(reference))
        if run.solution is None:
            raise Conflict(f"The run is {run.state.value} and has no solution to verify.")
        faults = proof.verify(session, run)
        if published is not None and published.lower() != run.snapshot_sha256:
            faults.append("The SHA-256 of its snapshot is not the one that was published.")
        if seed is not None and seed != run.seed:
            faults.append(f"Its seed is {run.seed!r}, not {seed!r}.")
        if faults:
            raise Invalid(f"{run.reference} does not hold.", [FieldError(run.reference, fault) for fault in faults])
        console.say(f"{run.reference} holds: {run_report(session, run).proof}")


def _verify_bundle(path: Path, published: str | None, seed: str | None) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} is no run and cannot be read: {error.strerror}.") from error
    members = bundle_check.read(content)
    faults = bundle_check.faults(members, published, seed)
    if faults:
        raise Invalid(f"{path} does not hold.", [FieldError(str(path), fault) for fault in faults])
    console.say(f"{path} holds" + ("." if published else "; what was published before the seed was not compared."))
    console.say(bundle_check.summary(members))


@run_commands.command("replay")
def replay_run(reference: RunReference) -> None:
    """Solve a run's problem anew and compare every byte of the solution. Exit 1 if any differs."""
    with opened() as database:
        with database.session(writes=False) as session:
            run = queries.run(session, OPERATOR, normalised(reference))
            previous = queries.solution_of(session, run.previous_run_id)
        faults = proof.replay(run, threads=Settings().solver_threads, beat=lambda _progress: None, previous=previous)
    if faults:
        raise Conflict(f"{run.reference} came out otherwise. {' '.join(faults)}")
    console.say(f"{run.reference} came out the same, byte for byte.")


@run_commands.command("seed")
def enter_seed(
    reference: RunReference,
    seed: Annotated[str, typer.Argument(metavar="SEED", help="The seed, as its source published it.")],
    username: ActingAs = None,
) -> None:
    """Enter the seed of a run that waits for it, and queue it. By somebody else than who requested it."""
    with opened() as database, database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, normalised(reference))
        runs.enter_seed(session, run, seed, acting(session, username))
    console.say("Entered; the run is queued.")


@run_commands.command("approve")
def approve_run(reference: RunReference, username: ActingAs = None) -> None:
    """Approve what a run proposes: verify it, draw the addresses and reserve the houses.

    By somebody else than who requested it.
    """
    with opened() as database:
        with database.session(writes=True) as session:
            runs.approve(session, queries.run(session, OPERATOR, normalised(reference)), acting(session, username))
        _print_run(database, reference)


@run_commands.command("reject")
def reject_run(
    reference: RunReference,
    reason: Annotated[str, typer.Option(parser=sentence, metavar="TEXT", help="What is wrong with it.")],
    username: ActingAs = None,
) -> None:
    """Reject what a run proposes; its settlements are free for another run."""
    with opened() as database, database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, normalised(reference))
        runs.reject(session, run, reason, acting(session, username))
    console.say("Rejected.")


@run_commands.command("cancel")
def cancel_run(reference: RunReference, username: ActingAs = None) -> None:
    """End a run that waits for its seed, is queued or being solved."""
    with opened() as database, database.session(writes=True) as session:
        runs.cancel(session, queries.run(session, OPERATOR, normalised(reference)), acting(session, username))
    console.say("Cancelled.")
