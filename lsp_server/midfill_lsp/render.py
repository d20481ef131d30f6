"""Our values -> LSP values. Besides `documents`, the only place that knows how a client counts positions."""

from collections.abc import Sequence

from lsprotocol import types

from midfill_lsp.documents import Documents
from midfill_lsp.fit import Fitted
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
