"""A named break in the chain from opportunity to journal entry."""

from __future__ import annotations

import strawberry


@strawberry.federation.type(shareable=True, description="A link of the revenue lineage that is missing, and why.")
class LineageGap:
    """A link of the revenue lineage that is missing, and why.

    LineageGap(code="NOT_INVOICED", system="erp", message="No invoice line carries this billed line.")
    """

    code: str = strawberry.federation.field(description="Stable name of the kind of gap, such as NOT_INVOICED.")
    system: str = strawberry.federation.field(description="The system where the next link was looked for.")
    message: str = strawberry.federation.field(description="One sentence for a person.")
