"""Replayed typing against servers over stdio, with a model of known latency and correctness behind them."""
