"""A Tryton 8.2 server to develop and test against: its REST and RPC, its books of the believable company, its refusals."""
