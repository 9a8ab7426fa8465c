"""Subscribers that reconnect all the time, as a process to be killed: `crash_subscriber.py FOLDER ADDRESSES SECRET COUNT SEED MOST`.

Each writes what it gets into a journal, a line of cursor and event id at a time, and goes on from its last whole line.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import httpx2


def last_cursor(path: Path) -> str | None:
    """The cursor of the last whole line; half a line, as a kill leaves it, is cut off."""
    if not path.exists():
        return None
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        path.write_bytes(whole)
    lines = whole.splitlines()
    return lines[-1].split()[0].decode() if lines else None


async def subscribe(path: Path, addresses: list[str], secret: str, chance: random.Random, most: int) -> None:
    cursor = last_cursor(path)
    counts = path.with_suffix(".connections")
    async with httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(15)) as http:
        while True:
            query = {"after": cursor or "beginning"}
            left = chance.randint(1, most)
            with counts.open("ab") as file:
                file.write(b".")
            try:
                async with http.stream(
                    "GET",
                    f"{chance.choice(addresses)}/events/feed",
                    params=query,
                    headers={"authorization": f"Bearer {secret}"},
                ) as reply:
                    assert reply.status_code in (200, 503), reply.status_code
                    with path.open("ab", buffering=0) as journal:
                        async for line in reply.aiter_lines():
                            if not line:
                                continue
                            event = json.loads(line)
                            if "errors" in event:
                                # Redis is gone for a moment. Any other end would be a gap, and is never asked for again.
                                assert event["errors"][0]["extensions"]["code"] == "STORE_UNAVAILABLE", event
                                break
                            journal.write(f"{event['cursor']} {event['id']}\n".encode())
                            cursor = event["cursor"]
                            left -= 1
                            if not left:
                                break
            except (httpx2.HTTPError, json.JSONDecodeError):
                await asyncio.sleep(0.1)


async def main(folder: Path, addresses: str, secret: str, count: int, seed: int, most: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            chance = random.Random(seed + number)
            path = folder / f"subscriber-{number}.journal"
            group.create_task(subscribe(path, addresses.split(","), secret, chance, most))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:4], *map(int, sys.argv[4:7])))
