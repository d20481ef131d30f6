"""What a model has said for one place, and how much of it is known beyond a caret."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Guess:
    """Something that nobody had asked for yet: where in an answer it begins, and whether the user ever got there."""

    start: int
    came_true: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Text that a model gave for one place, shaped but not yet fitted into a live buffer."""

    text: str
    block_end: int = 0
    """How much of it lies inside the scope where it was asked for, as the parser saw it; 0: not known."""
    complete: bool = False
    """The model was asked to go on and had nothing to add."""
    guess: Guess | None = None
    told: frozenset[str] = frozenset()
    """The other files whose declarations the model was told."""
    variant: int = 0
    """0 is what the model says first; the others are samples beside it, for who asks by hand."""


@dataclass(frozen=True, slots=True)
class Known:
    """An answer, and how many of its characters stand before the caret already."""

    answer: Answer
    typed: int = 0

    @property
    def text(self) -> str:
        """What is known to follow the caret."""
        return self.answer.text[self.typed :]

    @property
    def inside(self) -> int:
        """How much of that lies inside the scope; 0 or less: not known."""
        return self.answer.block_end - self.typed

    @property
    def seam(self) -> int | None:
        """Where in the text a guess goes on with a line that the model had ended; None where it does not.

        The two are never shown as one: it is not what the model said here, but what it says to whoever has taken that.
        """
        at = self.answer.guess.start - self.typed if self.answer.guess else 0
        return at if at > 0 and self.text[at:].lstrip(" \t")[:1] not in ("", "\n") else None

    @property
    def guess(self) -> Guess | None:
        """The guess that follows the caret, if one does."""
        guess = self.answer.guess
        return guess if guess is not None and self.typed >= guess.start else None
