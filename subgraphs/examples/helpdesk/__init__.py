"""A help desk that speaks Zendesk's API, added to the graph in one folder: `Customer.tickets`."""
