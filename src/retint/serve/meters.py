"""What Prometheus may count."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from retint.journal import Receipt

__all__ = ["CONTENT_TYPE_LATEST", "Meters"]

STATES = ("waiting", "running")


class Meters:
    """Counts of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "retint_requests", "Requests answered", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._latency = Histogram(
            "retint_request_seconds", "Time to the end of an answer", ("route",),
            registry=self._registry,
        )  # fmt: skip
        self._photographs = Counter(
            "retint_photographs", "Photographs ended", ("status",), registry=self._registry
        )
        self._work = Histogram(
            "retint_photograph_seconds", "Time a worker took", registry=self._registry
        )
        self._queue = Gauge(
            "retint_queue", "Photographs not yet ended", ("state",), registry=self._registry
        )
        self._stored = Gauge(
            "retint_stored_bytes", "Uploads and results on the disk", registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def ended(self, receipt: Receipt) -> None:
        """Count a photograph."""
        self._photographs.labels(receipt.status).inc()
        self._work.observe(receipt.seconds)

    def exposition(self, states: dict[str, int], stored: int) -> bytes:
        """Everything in Prometheus' text format."""
        for state in STATES:
            self._queue.labels(state).set(states.get(state, 0))
        self._stored.set(stored)
        return generate_latest(self._registry)
