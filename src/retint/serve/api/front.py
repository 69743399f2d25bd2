"""The page, at `/`, the API's description, at `/docs`, and the files they are made of."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from retint.serve.problems import Problem
from retint.serve.service import Here

MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
FOREVER = "public, max-age=31536000, immutable"  # addresses change with what is there

ONLY_OURS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src"
    " 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors"
    " 'none'",
}  # and what every answer has: retint.serve.entrance.door

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Page:
    """Files by name, and a hash of them all: a browser has those of one version, or of another."""

    files: dict[str, bytes]
    version: str

    def document(self, name: str) -> bytes:
        """A page that asks for this version of everything else."""
        return self.files[name].replace(b'"page/', f'"page/{self.version}/'.encode())


@router.api_route("/", methods=["GET", "HEAD"])
def index(here: Here, if_none_match: Annotated[str, Header()] = "") -> Response:
    """Give the page, if the browser does not have this version; photographs will follow soon."""
    here.desk.warm()
    return _document("index.html", if_none_match)


@router.api_route("/docs", methods=["GET", "HEAD"])
def docs(if_none_match: Annotated[str, Header()] = "") -> Response:
    """Give the API's description, to read and to try out."""
    return _document("docs.html", if_none_match)


def _document(name: str, if_none_match: str) -> Response:
    tag = f'"{page().version}"'
    headers = {**ONLY_OURS, "Cache-Control": "no-cache", "ETag": tag}
    if tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(page().document(name), media_type="text/html", headers=headers)


@router.api_route("/page/{version}/{name}", methods=["GET", "HEAD"])
def file(version: str, name: str) -> Response:
    """Give one of the files the page is made of."""
    body = page().files.get(name)
    if body is None or version != page().version:
        raise Problem(404, "The page has no such file; load it anew.")
    kind = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(body, media_type=kind, headers={**ONLY_OURS, "Cache-Control": FOREVER})


@cache
def page() -> Page:
    """The page as it is installed."""
    folder = resources.files("retint.serve") / "page"
    files = {
        item.name: item.read_bytes()
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.rpartition(".")[2] in MEDIA_TYPES
    }
    listed = b"".join(name.encode() + b"\0" + body for name, body in files.items())
    return Page(files, hashlib.sha256(listed).hexdigest()[:16])
