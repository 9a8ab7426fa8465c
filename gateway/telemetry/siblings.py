"""The processes behind one port tell each other what they count: a reader of metrics reaches one of them, and is told of all.

Each listens on a socket in a folder that only their user may enter, and says all it counts to whoever connects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

_LOG = logging.getLogger("concord.telemetry")
_PATIENCE_S = 2.0
"""How long a process may take to tell; one that takes longer is left out this time."""
LABEL = "worker"


class Family(msgspec.Struct, array_like=True):
    """A metric with its samples: name, labels and value of each."""

    name: str
    text: str
    type: str
    unit: str
    samples: list[tuple[str, dict[str, str], float]]


_decode = msgspec.json.Decoder(list[Family]).decode
_encode = msgspec.json.Encoder().encode


class Siblings:
    """One of several processes, and its way to the others."""

    def __init__(self, folder: Path, number: int) -> None:
        """`folder` is theirs alone; each has a number."""
        self._folder = folder
        self.number = number

    @asynccontextmanager
    async def told(self, tell: Callable[[], Awaitable[Sequence[Metric]]]) -> AsyncIterator[None]:
        """Tell the others, whenever one asks, until the block ends."""

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(_encode([_family(each) for each in await tell()]))
                writer.close()
                await writer.wait_closed()

        path = self._folder / f"{self.number}.sock"
        path.unlink(missing_ok=True)  # of a process that was killed
        async with await asyncio.start_unix_server(answer, path):
            yield

    async def join(self, own: Sequence[Metric]) -> Sequence[Metric]:
        """Return this process's metrics and the others', each sample with its process's number."""
        paths = sorted(path for path in self._folder.glob("*.sock") if path.stem != str(self.number))
        told = await asyncio.gather(*(self._ask(path) for path in paths))
        joined: dict[str, Metric] = {}
        sources = [(str(self.number), [_family(each) for each in own])]
        sources += [(path.stem, families) for path, families in zip(paths, told, strict=True)]
        for number, families in sorted(sources):
            for family in families:
                metric = joined.get(family.name)
                if metric is None:
                    metric = joined[family.name] = Metric(family.name, family.text, family.type, family.unit)
                metric.samples += [
                    Sample(name, {LABEL: number, **labels}, value) for name, labels, value in family.samples
                ]
        return list(joined.values())

    async def _ask(self, path: Path) -> list[Family]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    return _decode(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            _LOG.warning("metrics_of_worker_missing", extra={"worker": path.stem, "reason": repr(error)})
            return []


def _family(metric: Metric) -> Family:
    samples = [(each.name, dict(each.labels), float(each.value)) for each in metric.samples]
    return Family(metric.name, metric.documentation, metric.type, metric.unit, samples)
