"""The reference without any care: one call of the model for each request, closed when the request is cancelled."""

from bench.references import base

if __name__ == "__main__":
    base.serve(base.ask)
