"""What the daemon remembers: model calls and feedback. Cheap to import; only `schema` and `store` cost SQLAlchemy."""


class Unwritable(Exception):
    """The database took nothing; `reason` is locked, full, unwritable, corrupt, newer, io or other."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
