"""Signing in while passwords are guessed: `python -m benchmarks.sign_in [--seconds 30] [--rate 200] [--json FILE]`.

A server of its own, on SQLite, takes `rate` wrong tries a second: at one account from everywhere, at made-up names from
everywhere, and at that account from its user's own address. Meanwhile the user signs in every half second: with the
browser that is known, and as a program from an address that is known. Addresses are told as a proxy on this machine
would. The guessing runs in a process of its own, on the same cores.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2
from rich.console import Console

from benchmarks.tables import Table

USERNAME, PASSWORD = "caseworker", secrets.token_urlsafe(18)
HOME = "192.0.2.1"
EVERY_SECONDS = 0.5
UNANSWERED = 0
Attack = Callable[[int, Random], tuple[str, str]]
"""Name and address of a try, by its number."""


def _anywhere(random: Random) -> str:
    return f"198.{random.randint(18, 19)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


ATTACKS: dict[str, Attack] = {
    "one account, from everywhere": lambda _number, random: (USERNAME, _anywhere(random)),
    "made-up names, from everywhere": lambda number, random: (f"name-{number}", _anywhere(random)),
    "one account, from the user's address": lambda _number, _random: (USERNAME, HOME),
}


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """Serve an empty register with one user; yield the address and the process."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"HEARTH_DATA_DIR": folder, "HEARTH_PORT": str(port), "HEARTH_LOG_LEVEL": "error"}
        # What is measured is signing in, not the limit of requests from one address.
        environment["HEARTH_ADDRESS_REQUESTS_PER_MINUTE"] = "1000000"
        hearth = [sys.executable, "-m", "app.cli"]
        add = [*hearth, "users", "add", USERNAME, "--role", "caseworker", "--password-file", "-"]
        subprocess.run(add, env=environment, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)
        serving = subprocess.Popen([*hearth, "serve"], env=environment)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    httpx2.get(f"{address}/livez").raise_for_status()
                    break
                except httpx2.TransportError:
                    time.sleep(0.1)
            yield address, serving.pid
        finally:
            serving.terminate()
            serving.wait()


def _megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _guess(address: str, attack: Attack, rate: int, seconds: float) -> Counter[int]:
    """Send wrong tries at a steady rate, whatever becomes of those before; return how many got each answer."""
    answers: Counter[int] = Counter()
    random = Random(0)

    async def attempt(client: httpx2.AsyncClient, number: int) -> None:
        username, origin = attack(number, random)
        body = {"username": username, "password": f"wrong password {number}"}
        try:
            answer = await client.post("/api/v1/tokens", json=body, headers={"X-Forwarded-For": origin})
            answers[answer.status_code] += 1
        except httpx2.TransportError:
            answers[UNANSWERED] += 1

    limits = httpx2.Limits(max_connections=400)
    async with httpx2.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        began, tasks = time.perf_counter(), set[asyncio.Task[None]]()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.add(asyncio.create_task(attempt(client, number)))
        _, unanswered = await asyncio.wait(tasks, timeout=1)
        for task in unanswered:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        answers[UNANSWERED] += len(unanswered)
    return answers


def _guessing(address: str, name: str, rate: int, seconds: float, answers: Any) -> None:
    answers.put(asyncio.run(_guess(address, ATTACKS[name], rate, seconds)))


def _sign_ins(address: str, seconds: float) -> dict[str, tuple[list[float], int]]:
    """Sign in again and again; return, by kind, the seconds that each success took, and how many were refused."""
    given = {"username": USERNAME, "password": PASSWORD}
    headers = {"X-Forwarded-For": HOME, "Sec-Fetch-Site": "same-origin"}
    found: dict[str, tuple[list[float], int]] = {"browser": ([], 0), "program": ([], 0)}
    with httpx2.Client(base_url=address, timeout=60, headers=headers) as browser:
        browser.post("/api/v1/session", json=given).raise_for_status()
        with httpx2.Client(base_url=address, timeout=60, headers=headers) as program:
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                for kind, client, path in (("browser", browser, "session"), ("program", program, "tokens")):
                    began = time.perf_counter()
                    status = client.post(f"/api/v1/{path}", json=given).status_code
                    taken, refused = found[kind]
                    if status == httpx2.codes.CREATED:
                        taken.append(time.perf_counter() - began)
                    else:
                        found[kind] = (taken, refused + 1)
                    time.sleep(max(0.0, EVERY_SECONDS / 2 - (time.perf_counter() - began)))
    return found


def measure(name: str | None, rate: int, seconds: float) -> dict[str, Any]:
    """Return latencies, refusals, answers to the guesses, and memory, under one attack or none."""
    with _server() as (address, process):
        _sign_ins(address, 2)  # from here on browser and address are known, and everything is loaded
        before, used = _megabytes(process), _processor_seconds(process)
        answers: Any = multiprocessing.Queue()
        guessing = multiprocessing.Process(target=_guessing, args=(address, name, rate, seconds, answers))
        if name is not None:
            guessing.start()
        found = _sign_ins(address, seconds)
        answered: Counter[int] = answers.get() if name is not None else Counter()
        if name is not None:
            guessing.join()
        return {
            "attack": name or "none",
            "answers": dict(answered),
            "processor_seconds": _processor_seconds(process) - used,
            "memory_before_mb": before,
            "memory_after_mb": _megabytes(process),
            **{f"{kind}_seconds": taken for kind, (taken, _) in found.items()},
            **{f"{kind}_refused": refused for kind, (_, refused) in found.items()},
        }


def _row(result: dict[str, Any]) -> list[str]:
    row = [result["attack"], ", ".join(f"{result['answers'].get(status, 0):,}" for status in (401, 429, UNANSWERED))]
    for kind in ("browser", "program"):
        taken, refused = sorted(result[f"{kind}_seconds"]), result[f"{kind}_refused"]
        if taken:
            p95 = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
            row.append(f"{1000 * statistics.median(taken):.0f}, {1000 * p95:.0f} ms")
        else:
            row.append("-")
        row.append(f"{refused} of {refused + len(taken)}")
    memory = f"{result['memory_before_mb']:.0f}, {result['memory_after_mb']:.0f} MB"
    return [*row, f"{result['processor_seconds']:.1f} s", memory]


def main() -> None:
    """Measure, print a table and, if asked, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--attack", choices=(*ATTACKS, "none"), help="This one alone.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = [None, *ATTACKS] if arguments.attack is None else [arguments.attack]
    results = [measure(None if each == "none" else each, arguments.rate, arguments.seconds) for each in names]
    header = ["attack", "tries hashed, delayed, unanswered"]
    header += [
        "browser: median, p95",
        "refused",
        "program: median, p95",
        "refused",
        "processor",
        "memory before, after",
    ]
    table = Table(f"{arguments.rate} wrong tries a second for {arguments.seconds:.0f} s", header)
    table.rows.extend(map(_row, results))
    Console(width=160).print(table)
    print(table.markdown())
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
