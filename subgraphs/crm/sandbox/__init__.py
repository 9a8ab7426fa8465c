"""A HubSpot on loopback: CRM v3 objects, v4 associations, owners and signed webhooks over the believable company."""
