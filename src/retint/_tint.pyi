from typing import Any

from numpy.typing import NDArray

_Codes = NDArray[Any]
_Floats = NDArray[Any]

def tint(
    codes: _Codes,
    out: _Codes,
    first: _Floats,
    growth: _Floats,
    down: _Floats,
    curve: _Floats,
    encoded: _Codes,
    numbers: _Floats,
    shares: _Floats | None = None,
    tone: _Floats | None = None,
    /,
) -> None: ...
