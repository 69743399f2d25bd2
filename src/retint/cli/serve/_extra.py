"""What the service needs beyond the light install."""

from collections.abc import Generator
from contextlib import contextmanager

from retint.errors import OptionsError


@contextmanager
def the_extra() -> Generator[None]:
    """Say in one line what to install where an import fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise OptionsError(f"the service needs {error.name}: pip install 'retint[serve]'") from None
