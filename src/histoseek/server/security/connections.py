"""The connections of one server process: how many there may be, and which has to go when there are too many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from histoseek.server.security.limits import find_network
from histoseek.server.settings import is_loopback

DEADLINE = "histoseek.deadline"
"""The extension of a request's scope with the Deadline that ends its work when its client is gone."""


class Connection(Protocol):
    """What a table knows of a connection.

    address: of the client; waiting_since: since when the server waits for its client, to send the next request or the
    rest of one, or to take an answer, in seconds of the loop's clock; None while the server is at work for it.
    """

    address: str
    waiting_since: float | None

    def abort(self) -> None:
        """Close it at once."""


class ConnectionTable:
    """At most `most` connections, `most_of_network` from one address that is not this machine's or a proxy's.

    Beyond that the connection goes whose client was waited for longest, of the network with the most connections: who
    holds many idle ones makes room for others. Where the server works for all of them, nobody more gets in.
    """

    def __init__(self, most: int, most_of_network: int, behind_proxy: bool = False) -> None:
        """behind_proxy: all clients come from a proxy's address, which limits them itself."""
        self.most = most
        self._most_of_network = most_of_network
        self._behind_proxy = behind_proxy
        self._networks: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def admit(self, connection: Connection) -> bool:
        """Take a connection in, if need be in place of another; False where there is no room."""
        name = find_network(connection.address)
        if self._is_limited(connection.address) and len(self._networks[name]) >= self._most_of_network:
            is_full = not self._evict([name])
        else:
            is_full = self._count >= self.most and not self._evict(self._list_largest_first())
        if is_full:
            self._forget_empty(name)
            return False
        self._networks[name][connection] = None
        self._count += 1
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection, if it is here."""
        name = find_network(connection.address)
        if connection in self._networks.get(name, {}):
            del self._networks[name][connection]
            self._count -= 1
            self._forget_empty(name)

    def _is_limited(self, address: str) -> bool:
        return not (self._behind_proxy or not address or is_loopback(address))

    def _list_largest_first(self) -> list[str]:
        return sorted(self._networks, key=lambda name: len(self._networks[name]), reverse=True)

    def _evict(self, names: Iterable[str]) -> bool:
        """Close the connection of the first of these networks whose client was waited for longest; False for none."""
        for name in names:
            waiting = [one for one in self._networks[name] if one.waiting_since is not None]
            if waiting:
                longest = min(waiting, key=lambda one: one.waiting_since or 0.0)
                self.remove(longest)
                longest.abort()
                return True
        return False

    def _forget_empty(self, name: str) -> None:
        if not self._networks.get(name, True):
            del self._networks[name]
