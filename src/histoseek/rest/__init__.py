"""What both sides of the REST API share: requests and responses as typed models, under /api/v1."""
