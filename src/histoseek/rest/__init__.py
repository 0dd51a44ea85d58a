"""The words that both sides of the REST API speak: requests and answers as typed models, under /api/v1."""
