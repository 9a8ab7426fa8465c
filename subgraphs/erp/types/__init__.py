"""The ERP's types in the graph; each wraps neutral records and loads what is related to them."""
