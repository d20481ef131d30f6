"""Our values -> LSP values. Besides `documents`, the only place that knows how a client counts positions."""

from collections.abc import Sequence
from typing import NamedTuple

from lsprotocol import types

from midfill_lsp.documents import Document, Documents
from midfill_lsp.fit import Fitted
from midfill_lsp.typed import Place
from midfill_workspace.snapshot import Snapshot

ACCEPTED = "midfill.accepted"


def inline_items(
    suggestions: Sequence[Fitted],
    snapshot: Snapshot,
    documents: Documents,
    trace_id: str,
    selected: types.SelectedCompletionInfo | None,
) -> types.InlineCompletionList:
    """The answer of textDocument/inlineCompletion; without a text it is an empty list, which clears the ghost text."""
    shown = [
        fitted
        for fitted in suggestions
        # An item for the list's entry must keep the entry's range; it cannot replace what follows the caret.
        if fitted.text and not (selected is not None and fitted.replace)
    ]
    return types.InlineCompletionList([_item(fitted, snapshot, documents, trace_id, selected) for fitted in shown])


def _item(
    fitted: Fitted,
    snapshot: Snapshot,
    documents: Documents,
    trace_id: str,
    selected: types.SelectedCompletionInfo | None,
) -> types.InlineCompletionItem:
    """The range stays on the caret's line: from the caret over what the suggestion replaces after it, or, while the
    editor's own completion list has a selection, over the text that the selection would replace."""
    start = documents.position(snapshot, snapshot.line, snapshot.column)
    end = documents.position(snapshot, snapshot.line, snapshot.column + fitted.replace)
    text = fitted.text
    if selected is not None:
        start, end, text = selected.range.start, selected.range.end, selected.text + text
    return types.InlineCompletionItem(
        insert_text=text,
        range=types.Range(start, end),
        command=types.Command(title="Midfill: accepted", command=ACCEPTED, arguments=[trace_id]),
    )


class Insertion(NamedTuple):
    """A text at a caret, and how many characters behind it give way."""

    place: Place
    text: str
    replaced: int


def insertion(
    item: types.InlineCompletionItem, position: types.Position, document: Document, documents: Documents
) -> Insertion | None:
    """What an item puts at the caret; None when it changes what stands before that."""
    assert item.range is not None
    assert isinstance(item.insert_text, str)
    caret = documents.caret(document, position)
    start, end = (documents.caret(document, at) for at in (item.range.start, item.range.end))
    line = document.lines[caret[0]]
    standing = line[start[1] : caret[1]]
    if not start <= caret <= end or end[0] != start[0] or not item.insert_text.startswith(standing):
        return None
    place = Place(caret[0], line[: caret[1]], line[caret[1] :], len(document.lines))
    return Insertion(place, item.insert_text.removeprefix(standing), end[1] - caret[1])
