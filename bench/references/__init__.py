"""Servers to compare with: what careful people build first, on stock pygls."""
