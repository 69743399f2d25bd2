"""One file per family of networks; this folder is the registry.

A family's module exports `Config` (frozen dataclass), `Net` (a face of `layers.faces`, built from
a Config), `variants` (name to Config, `default` and `tiny` among them) and `from_foreign` (state
dict of the authors' checkpoint to ours). Nothing else has to be edited to add one. In names, `-`
stands for the file's `_`.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from retint.errors import ModelError


def families() -> list[str]:
    """Names of all families, sorted."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def family(name: str) -> ModuleType:
    """The module of a family; ModelError with the nearest right names where there is none."""
    if name not in families():
        raise ModelError(f"unknown family {name!r}: there are {', '.join(families())}")
    return import_module(f"{__name__}.{name.replace('-', '_')}")


def build(name: str, config: Mapping[str, Any]) -> Any:
    """The network of a family, weights as they happen to be; `config`: what differs from the
    family's defaults. ModelError for a family or a Config that this version does not have."""
    architecture = family(name)
    try:
        return architecture.Net(architecture.Config(**config))
    except TypeError as error:
        raise ModelError(f"family {name}: {error}") from None
