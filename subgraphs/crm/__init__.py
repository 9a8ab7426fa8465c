"""The CRM in the graph: companies, contacts and deals of HubSpot as customers, contacts and opportunities."""
