"""A fetch of root fields: what it sends, and how its answer joins the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import Outcome
from gateway.execution.located import (
    Failure,
    SubgraphProfile,
    bad_response,
    error_entries,
    failure_from_entry,
    path_of,
)
from gateway.execution.merge import Composites, composites_of, merge, read_selection
from gateway.execution.ports import SubgraphClient, SubgraphRequest, body_prefix
from gateway.execution.rewrite import rename_composites, rename_path, rewrite
from gateway.execution.run import Run
from gateway.federation.plan import RootFetch


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRoot:
    """A root fetch bound to its client."""

    fetch: RootFetch
    client: SubgraphClient
    profile: SubgraphProfile
    prefix: bytes
    composites: Composites

    def prepare(self, run: Run) -> SubgraphRequest:
        """Return the request to send."""
        fetch = self.fetch
        given = run.variables
        return SubgraphRequest(
            subgraph=fetch.subgraph,
            kind=fetch.kind,
            document=fetch.document,
            variables={name: given[name] for name in fetch.variables if name in given},
            operation_name=fetch.operation_name,
            root_fields=fetch.root_fields,
            prefix=self.prefix,
            fetch_id=fetch.id,
        )

    def merge(self, run: Run, value: Any) -> None:
        """Merge an answer's `data` at the root of the tree and translate its errors."""
        data = value.get("data") if isinstance(value, dict) else None
        entries = error_entries(value) if isinstance(value, dict) else ()
        write = Outcome.UNKNOWN if run.is_write else None
        if not isinstance(data, dict):
            failure = bad_response(self.profile, write)
            if entries:
                if run.is_write and "data" not in value:
                    # A request error: nothing ran, whatever the code.
                    write = Outcome.NOT_APPLIED
                failure = failure_from_entry(entries[0], self.profile, write=write)
                self._translate(run, {}, entries, write)
            self.fail(run, failure)
            return
        if self.fetch.output_rewrites:
            rewrite(data, self.fetch.output_rewrites)
        run.reached.clear()
        if run.data:
            merge(run.data, data, self.composites)
        else:
            run.data.update(data)
        if entries and not self._translate(run, data, entries, write):
            run.errors.add(self.fetch.root_fields[:1], failure_from_entry(entries[0], self.profile, write=write))

    def _translate(self, run: Run, data: Mapping[str, Any], entries: Any, write: Outcome | None) -> bool:
        """Locate errors that have a usable path; return whether any has one."""
        located = False
        for entry in entries:
            path = path_of(entry)
            if path:
                located = True
                applied = run.is_write and data.get(str(path[0])) is not None
                failure = failure_from_entry(entry, self.profile, write=Outcome.APPLIED if applied else write)
                run.fail_path(rename_path(path, self.fetch.output_rewrites), failure)
        return located

    def fail(self, run: Run, failure: Failure) -> None:
        """Note that none of the root fields could be had; those with an error of their own keep it."""
        for name in self.fetch.root_fields:
            if not run.errors.explains((name,)):
                run.fail_field((), run.data, name, failure)


def compile_root(fetch: RootFetch, client: SubgraphClient, profile: SubgraphProfile) -> CompiledRoot:
    """Compile a root fetch."""
    selection, fragments = read_selection(fetch.document)
    composites = composites_of((selection,), fragments)
    rename_composites(composites, fetch.output_rewrites)
    prefix = body_prefix(fetch.document, fetch.operation_name)
    return CompiledRoot(fetch=fetch, client=client, profile=profile, prefix=prefix, composites=composites)
