"""Bring archive photographs into colour: only the colour is new.

The public names are loaded when first used, so that `import retint` costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retint.chroma import Chroma as Chroma
    from retint.client import Client as Client
    from retint.colorizer import Colorizer as Colorizer
    from retint.colorizer import Hint as Hint
    from retint.colorizer import Options as Options
    from retint.errors import DeviceError as DeviceError
    from retint.errors import InputError as InputError
    from retint.errors import ModelError as ModelError
    from retint.errors import OptionsError as OptionsError
    from retint.errors import OutputError as OutputError
    from retint.errors import RetintError as RetintError
    from retint.files import colorize as colorize
    from retint.journal import Receipt as Receipt
    from retint.photo import Photo as Photo
    from retint.predict import load as load

    open = Photo.open
    __version__: str

# onnxruntime's own builds tell Microsoft which models are run unless this stands here before they
# are loaded (its Privacy.md). An archive's photographs are nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_ROOMS = {
    "Chroma": "chroma",
    "Client": "client",
    "Colorizer": "colorizer",
    "DeviceError": "errors",
    "Hint": "colorizer",
    "InputError": "errors",
    "ModelError": "errors",
    "Options": "colorizer",
    "OptionsError": "errors",
    "OutputError": "errors",
    "Photo": "photo",
    "Receipt": "journal",
    "RetintError": "errors",
    "colorize": "files",
    "load": "predict",
}

__all__ = [
    "Chroma",
    "Client",
    "Colorizer",
    "DeviceError",
    "Hint",
    "InputError",
    "ModelError",
    "Options",
    "OptionsError",
    "OutputError",
    "Photo",
    "Receipt",
    "RetintError",
    "__version__",
    "colorize",
    "load",
    "open",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("retint")
    elif name == "open":
        value = import_module("retint.photo").Photo.open
    elif name in _ROOMS:
        value = getattr(import_module(f"retint.{_ROOMS[name]}"), name)
    else:
        raise AttributeError(f"module 'retint' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
