from typing import Any

from numpy.typing import NDArray

_Codes = NDArray[Any]
_Floats = NDArray[Any]

def take_grey(codes: _Codes, out: _Codes, /) -> bool: ...
def tint(
    codes: _Codes,
    out: _Codes,
    above: _Floats,
    right_above: _Floats,
    below: _Floats,
    right_below: _Floats,
    left: NDArray[Any],
    across: _Floats,
    down: _Floats,
    curve: _Floats,
    encoded: _Codes,
    numbers: _Floats,
    shares: _Floats | None,
    tone: _Floats | None,
    /,
) -> None: ...
