from .a import one, two
from .b import *

__all__ = ["one", "shown"] + other.__all__
__all__ += ("_odd",)


def shown():
	"""Tabs."""
	return 1


def other(): ...


_odd = 1
