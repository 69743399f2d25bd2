"""What can go wrong, in words a user can act on: each message names the file or option."""


class RetintError(Exception):
    """Root of all errors that retint raises on purpose; `str(error)` is one line for a person."""


class InputError(RetintError):
    """A source cannot be read: missing, empty, truncated, no picture, too large, too deep."""


class OutputError(RetintError):
    """A result cannot be written: no rights, no room, or it would replace a source."""


class OptionsError(RetintError, ValueError):
    """An option has a value outside its range, or two options contradict each other."""


class ModelError(RetintError):
    """A model is unknown, damaged (hash), of a wrong face, or not licensed for this use."""


class DeviceError(RetintError):
    """A device was asked for by name and is not to be had; retint never falls back silently."""
