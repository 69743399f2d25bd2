"""The command line: `retint COMMAND`. Each module here is one by its `command`; none are listed.

A folder of modules is a group of commands, made in the same way.
"""

import ast
import io
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module, resources
from typing import Any

import click

from retint.errors import OptionsError, RetintError

STOPPED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


class Commands(click.Group):
    """The modules of a package as commands, imported when they run.

    The one place where errors become a line and an exit code: 2 for options that cannot be, 1 for
    everything else that went wrong, 130 after Ctrl-C.
    """

    def __init__(self, package: str = __name__, **about: Any) -> None:
        super().__init__(**about)
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the modules that do not begin with an underscore."""
        folder = import_module(self.package).__path__
        return sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The `command` of a module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        with leaving_at_once():
            command: click.Command = import_module(f"{self.package}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their first lines, without importing them."""
        with formatter.section("Commands"):
            names = self.list_commands(ctx)
            formatter.write_dl([(name, _first_line(self.package, name)) for name in names])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what goes wrong becomes one line."""
        try:
            return super().invoke(ctx)
        except RetintError as error:
            click.echo(f"retint: {error}", err=True)
            ctx.exit(2 if isinstance(error, OptionsError) else 1)
        except KeyboardInterrupt:
            click.echo("retint: stopped", err=True)
            ctx.exit(STOPPED)


@contextmanager
def leaving_at_once() -> Generator[None]:
    """Let Ctrl-C end the process there and then, while nothing has begun.

    For imports: compiled modules turn an interruption into errors of many kinds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        os.write(2, b"retint: stopped\n")
        os._exit(STOPPED)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _first_line(package: str, name: str) -> str:
    """First line of what a command says of itself, read from its source."""
    module = resources.files(package).joinpath(f"{name}.py")
    if not module.is_file():
        module = resources.files(package).joinpath(name, "__init__.py")
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "command":
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="retint", prog_name="retint")
def main() -> None:
    """Bring archive photographs into colour: only the colour is new, and the file says so."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a name must not end a run where it has no letters
            stream.reconfigure(errors="backslashreplace")
