"""The server's own database."""
