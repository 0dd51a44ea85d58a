"""What requests are refused for before a route sees them."""

from __future__ import annotations

from histoseek.server.errors import RequestError, Retriable


class AddressTooLong(RequestError):
    """The path and query are longer than any that the API has."""

    status = 414


class WrongHost(RequestError):
    """The request was meant for another host's name: perhaps a page elsewhere has bent its own name to this server."""

    status = 421


class AuditUnavailable(Retriable):
    """The request's line of the audit log would have no room, so the request is not answered."""

    status = 507
