"""Gauges of what is not at its end: workflows, and places where copies disagree with their owner."""

from __future__ import annotations

from prometheus_client.metrics import Gauge
from prometheus_client.registry import CollectorRegistry

from gateway.errors import GatewayError
from gateway.writes.reconciliation.desk import ReconciliationDesk
from gateway.writes.reconciliation.model import DriftFilter, DriftStatus
from gateway.writes.workflows.desk import WorkflowDesk


class WorkflowGauges:
    """Read from the store when somebody asks for the metrics; of a store that is shared every gateway tells the same."""

    def __init__(
        self, workflows: WorkflowDesk, reconciliation: ReconciliationDesk | None, registry: CollectorRegistry
    ) -> None:
        self._workflows = workflows
        self._reconciliation = reconciliation
        self._up = Gauge("concord_workflow_store_up", "Whether the store of workflows answers.", registry=registry)
        self._live = Gauge(
            "concord_workflows",
            "Workflows that have not ended, by kind and status.",
            ("kind", "status"),
            registry=registry,
        )
        self._drifts = Gauge("concord_drifts_open", "Places that differ and nobody has accepted.", registry=registry)

    async def refresh(self) -> None:
        """Set the gauges; while the store does not answer they keep what they were, and say so."""
        try:
            live = await self._workflows.live()
            self._live.clear()
            for (kind, status), count in live.items():
                self._live.labels(kind, status.value).set(count)
            if self._reconciliation is not None:
                self._drifts.set(await self._reconciliation.count(DriftFilter(statuses=(DriftStatus.OPEN,))))
        except GatewayError:
            self._up.set(0)
        else:
            self._up.set(1)
