"""The review's server: for this machine and the one who knows its address, nobody else."""

import secrets
from http import HTTPStatus
from typing import Any, cast

from retint import pages
from retint.data.review.session import Review
from retint.pages import FOREVER, Handler, Refused, Reply


class Server(pages.Server):
    """Serves a review's page at `url` on 127.0.0.1; port 0 takes a free one.

    The address carries a random token. Raises OptionsError where the port is taken.
    """

    room = "retint.data.review"
    files = (
        *("index.html", "style.css", "main.js", "pictures.js", "grid.js", "single.js", "labels.js"),
        "server.js",
    )

    def __init__(self, review: Review, port: int = 0) -> None:
        self.review = review
        super().__init__(secrets.token_urlsafe(16), "127.0.0.1", port)

    def get(self, path: str, visitor: Handler) -> Reply:
        """Send the table, its changes, or pictures."""
        review = self.review
        kind, _, number = path.partition("/")
        if path == "pictures.json":
            return Reply.of(review.table())
        if kind == "changes":
            return self._changes(_natural(number))
        if kind == "about":
            known = self._known(number)
            return Reply.of({"known": review.about(known), "resembled": review.resembled(known)})
        if kind in ("thumbnail", "picture"):
            show = review.thumbnail if kind == "thumbnail" else review.picture
            return Reply(*show(self._known(number)), {"Cache-Control": FOREVER})
        raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def post(self, path: str, wish: dict[str, Any], visitor: Handler) -> Reply:
        """Take a decision, or take one back."""
        since = _natural(wish.get("since"))
        if path == "decide":
            decision, labels = wish.get("decision"), wish.get("labels")
            numbers = wish.get("pictures")
            if not (
                isinstance(numbers, list)
                and all(type(n) is int for n in cast(list[object], numbers))
                and isinstance(decision, str | None)
                and isinstance(labels, str | None)
            ):
                raise Refused(HTTPStatus.BAD_REQUEST, "not a decision")
            self.review.decide(cast(list[int], numbers), decision=decision, labels=labels)
            return self._changes(since)
        if path == "undo":
            return self._changes(since, undone=self.review.undo())
        raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _known(self, number: str) -> int:
        if _natural(number) >= len(self.review.entries):
            raise Refused(HTTPStatus.NOT_FOUND, "no such picture")
        return int(number)

    def _changes(self, since: int, undone: list[int] | None = None) -> Reply:
        version = self.review.version  # before the changes: one that comes between is told twice
        changes = self.review.changes(since)
        return Reply.of({"version": version, "changes": changes, "undone": undone})


def _natural(value: object) -> int:
    """A number from a request: 0 or more; Refused for anything else."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise Refused(HTTPStatus.BAD_REQUEST, "not a number")
    return int(text)
