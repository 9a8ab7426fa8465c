"""Who may see and do what with what the gateway itself keeps; kept by the gateway like any subgraph's."""

from __future__ import annotations

from strawberry.federation.schema_directives import RequiresScopes

SEES_EVENTS = RequiresScopes(scopes=[["events:read"]])
SEES_OPERATIONS = RequiresScopes(scopes=[["operations:read"]])
MAY_OPERATE = RequiresScopes(scopes=[["operations:write"]])
MAY_CLOSE = RequiresScopes(scopes=[["pipeline:write", "contracts:write"]])
MAY_AMEND = RequiresScopes(scopes=[["contracts:write"]])
MAY_ONBOARD = RequiresScopes(scopes=[["customers:write"]])
MAY_DISTRIBUTE = RequiresScopes(scopes=[["products:write"]])
MAY_RENEW = RequiresScopes(scopes=[["contracts:write"]])
MAY_CREDIT = RequiresScopes(scopes=[["contracts:write", "invoices:write"]])
