"""The REST API and the page, for one department: FastAPI over archives."""
