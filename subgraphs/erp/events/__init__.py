"""From polling the ERP to lifecycle events: what is compared with what was seen, what time alone brings about."""
