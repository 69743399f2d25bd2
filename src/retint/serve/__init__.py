"""The service: the library's work over HTTP, in one's own house."""

from retint.serve.app import create_app
from retint.serve.settings import Settings

__all__ = ["Settings", "create_app"]
