"""Numbers that look random but depend only on what they are for, so that every server meets the same ones."""

import random


def chance(*what: object) -> random.Random:
    """A generator of its own for one decision, such as `chance(seed, "gap", 120)`."""
    return random.Random(":".join(map(str, what)))


def share(*what: object) -> float:
    """A number from 0 to 1 for one decision."""
    return chance(*what).random()
