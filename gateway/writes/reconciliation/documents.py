"""What a run asks the graph: the same operations as anybody could send, page by page."""

from __future__ import annotations

from gateway.writes.product_values import PRODUCT

_RECORD = "{ name fields { name value } }"
_CUSTOMER = f"id name status legalName taxIds identities {{ system }} crmRecord {_RECORD} billingRecord {_RECORD} erpRecord {_RECORD}"
_LINES = """billedLines(first: $lines, after: $afterLine) { pageInfo { hasNextPage endCursor } edges { node {
      amount { amount } period { startsOn endsOn } product { revenueRule } invoice { number } } } }"""
_INVOICES = """invoices(first: $lines, after: $afterInvoice) { pageInfo { hasNextPage endCursor } edges { node {
      number status net { amount } total { amount } balance { amount } billingDocument { total { amount } amountDue { amount } } } } }"""
_CONTRACT = f"""id number status currency customer {{ id }} totalValue {{ amount }}
    opportunity {{ amount {{ amount currency }} }} billedToDate {{ amount }} recognizedToDate {{ amount }}
    {_LINES}
    {_INVOICES}"""

_PRODUCT = f"{PRODUCT} isKeptInCrm crmRecord {_RECORD} erpRecord {_RECORD}"

CUSTOMERS = f"""query ReconcileCustomers($first: Int!, $after: String) {{
  page: customers(first: $first, after: $after, orderBy: {{ field: CREATED }}) {{
    totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {_CUSTOMER} }} }} }}
}}"""
CONTRACTS = f"""query ReconcileContracts($first: Int!, $after: String, $customer: ID, $lines: Int!, $afterLine: String, $afterInvoice: String) {{
  page: contracts(first: $first, after: $after, filter: {{ customerId: $customer }}, orderBy: {{ field: NUMBER }}) {{
    totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {_CONTRACT} }} }} }}
}}"""
PRODUCTS = f"""query ReconcileProducts($first: Int!, $after: String) {{
  page: products(first: $first, after: $after) {{
    totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {_PRODUCT} }} }} }}
}}"""
CUSTOMER = f"""query ReconcileCustomer($id: ID!) {{ node: customer(id: $id) {{ {_CUSTOMER} }} }}"""
CONTRACT = f"""query ReconcileContract($id: ID!, $lines: Int!, $afterLine: String, $afterInvoice: String) {{
  node(id: $id) {{ ... on Contract {{ {_CONTRACT} }} }}
}}"""
MORE_LINES = f"""query ReconcileLines($id: ID!, $lines: Int!, $afterLine: String) {{
  node(id: $id) {{ ... on Contract {{ {_LINES} }} }}
}}"""
MORE_INVOICES = f"""query ReconcileInvoices($id: ID!, $lines: Int!, $afterInvoice: String) {{
  node(id: $id) {{ ... on Contract {{ {_INVOICES} }} }}
}}"""
LINES_AT_ONCE = 200
"""Billed lines, and invoices, of one contract that are read with it; the rest follows."""
