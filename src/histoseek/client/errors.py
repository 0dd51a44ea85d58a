"""What a server refused."""

from __future__ import annotations

from histoseek.errors import HistoseekError
from histoseek.rest.base import Problem


class ServerProblem(HistoseekError):
    """The server answered with a problem, here with all its fields."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.title, problem.detail)


class NoServer(HistoseekError):
    """Nothing, or something else, answers at this address."""
