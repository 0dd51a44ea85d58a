"""A typed client of the REST API: `histoseek.client.client.Client`."""
