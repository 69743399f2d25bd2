"""Options as click's options and as words of a command line: nothing is typed twice."""

import types
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import click

from retint.colorizer import Options

F = TypeVar("F", bound=Callable[..., Any])

_KINDS = get_type_hints(Options)


def with_options(command: F) -> F:
    """Decorate a click command with an option for each field of Options."""
    for item in reversed(fields(Options)):
        command = _decorator(item)(command)
    return command


def to_argv(options: Options) -> list[str]:
    """Words that give these options; what has its default is left out."""
    words: list[str] = []
    for item in fields(Options):
        value = getattr(options, item.name)
        if value != item.default:
            words.append(_flag(item) if item.type is bool else f"{_flag(item)}={value}")
    return words


def from_argv(words: Sequence[str]) -> Options:
    """The options that these words give; click.UsageError or OptionsError where they give none."""
    parser = with_options(click.command("options")(lambda: None))
    return Options(**parser.make_context("options", list(words)).params)


def _flag(item: Field[Any]) -> str:
    return "--" + item.name.replace("_", "-")


def _decorator(item: Field[Any]) -> Callable[[F], F]:
    assert item.default is not MISSING
    kind = _KINDS[item.name]
    about: dict[str, Any] = {"default": item.default, "help": _help(item)}
    if kind is bool:
        about["is_flag"] = True
    elif get_origin(kind) is Literal:
        about |= {"type": click.Choice(get_args(kind)), "show_default": True}
    else:
        plain = _plain(kind)
        metavar = {int: "N", float: "X", str: item.name.upper()}[plain]
        about |= {"type": plain, "metavar": metavar, "show_default": item.default is not None}
    return click.option(_flag(item), item.name, **about)


def _help(item: Field[Any]) -> str:
    low, high = item.metadata.get("low"), item.metadata.get("high")
    if high is None:
        return item.metadata["help"]
    return f"{item.metadata['help']} {low:g} to {high:g}."


def _plain(kind: Any) -> type:
    """The type of a field that may be None."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(k for k in get_args(kind) if k is not type(None))
    return kind
