"""What a page of metrics says, sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families


def samples_of(
    text: str, parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }
