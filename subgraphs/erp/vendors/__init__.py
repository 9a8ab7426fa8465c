"""Adaptors to the ERPs that exist; each turns a vendor's rows into the neutral records of `subgraphs.erp.records`."""
