"""What schemathesis needs to know: how our scalars look, and what every answer has to be."""

import json

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

TEXTS = {
    "Date": st.sampled_from(["2026-01-31", "2026-13-99", "", "x"]),
    "DateTime": st.sampled_from(["2026-01-31T09:30:00Z", "yesterday", ""]),
    "Decimal": st.sampled_from(["12.50", "-1", "1e999", "NaN", ""]),
    "Currency": st.sampled_from(["EUR", "euro", ""]),
}
for name, texts in TEXTS.items():
    schemathesis.graphql.scalar(name, texts.map(nodes.String))


@schemathesis.check
def is_a_graphql_answer_with_codes(ctx, response, case):
    """A GraphQL response below 500, whose errors all have a code and a correlation id, and no trace of our insides."""
    answer = json.loads(response.content)
    assert response.status_code < 500 or answer["errors"][0]["extensions"]["retryable"], response.text
    assert set(answer) <= {"data", "errors", "extensions"}, answer
    for error in answer.get("errors", ()):
        assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", error
        assert error["extensions"]["correlationId"], error
        assert len(error["message"]) <= 300, error
        assert "Traceback" not in error["message"], error
