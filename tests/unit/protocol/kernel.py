"""The kernel: one process after the other, requests in order."""

from __future__ import annotations

from collections import Counter, deque

from tests.unit.protocol.relay import Kind, Request


class Kernel:
    """`runs` counts how often each request was begun, over all kernels of a test."""

    def __init__(self, runs: Counter[Request]) -> None:
        self.runs = runs
        self.queue: deque[Request] = deque()
        self.running: Request | None = None
        self.starting = False
        """A process that has died is being replaced: it takes nothing yet."""

    def step(self) -> list[tuple[Kind, Request]]:
        """Begin the next request or finish the one that runs; what the kernel says of it."""
        if self.starting:
            return []
        if self.running is not None:
            request, self.running = self.running, None
            # They come on different sockets, in either order.
            end = [(Kind.REPLY, request), (Kind.IDLE, request)]
            return [(Kind.OUTPUT, request), *(end if request.number % 2 else reversed(end))]
        if self.queue:
            self.running = self.queue.popleft()
            self.runs[self.running] += 1
            return [(Kind.OUTPUT, self.running)]
        return []

    def die(self) -> list[Request]:
        """End the process; what it had to do, in order."""
        dead = [request for request in (self.running, *self.queue) if request is not None]
        self.running, self.starting = None, True
        self.queue.clear()
        return dead
