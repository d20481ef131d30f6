"""Our values -> LSP values. Besides `documents`, the only place that knows how a client counts positions."""

from lsprotocol import types

from midfill_lsp.documents import Documents
from midfill_lsp.fit import Fitted
from midfill_workspace.snapshot import Snapshot

ACCEPTED = "midfill.accepted"


def inline_items(
    fitted: Fitted,
    snapshot: Snapshot,
    documents: Documents,
    trace_id: str,
    selected: types.SelectedCompletionInfo | None,
) -> types.InlineCompletionList:
    """The answer of textDocument/inlineCompletion; empty text is an empty list, which clears the ghost text.

    The range stays on the caret's line: from the caret over what the suggestion replaces after it, or, while the
    editor's own completion list has a selection, over the text that the selection would replace.
    """
    if not fitted.text or (selected is not None and fitted.replace):
        # An item for the list's entry must keep the entry's range; it cannot replace what follows the caret.
        return types.InlineCompletionList(items=[])
    start = documents.position(snapshot, snapshot.line, snapshot.column)
    end = documents.position(snapshot, snapshot.line, snapshot.column + fitted.replace)
    text = fitted.text
    if selected is not None:
        start, end, text = selected.range.start, selected.range.end, selected.text + text
    item = types.InlineCompletionItem(
        insert_text=text,
        range=types.Range(start, end),
        command=types.Command(title="Midfill: accepted", command=ACCEPTED, arguments=[trace_id]),
    )
    return types.InlineCompletionList(items=[item])
