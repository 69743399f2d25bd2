"""Which sizes several networks take together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from retint.errors import ModelError


def common_size(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rule on sizes that satisfies all of these; ModelError where there is none."""
    fixed = {tuple(rule["fixed"]) for rule in rules if "fixed" in rule}
    multiple = math.lcm(*(rule.get("multiple_of", 1) for rule in rules))
    if not fixed:
        return {"multiple_of": multiple}
    size = fixed.pop()
    if fixed or any(side % multiple for side in size):
        raise ModelError("networks to be joined take no size in common")
    return {"fixed": list(size)}
