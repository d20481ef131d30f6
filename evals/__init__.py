"""Evaluations on data that is not part of the repository; see the README of the data."""
