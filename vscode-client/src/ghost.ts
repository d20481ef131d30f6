/** The ghost text of this window: what is shown, what the user does with it, and how it grows. */
import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import {
  hasGrown,
  isVisibleAt,
  parseMore,
  type Place,
  startOfText,
  type Suggestion,
  suggestionOf,
} from './suggestions';

/** Tells the server what became of a suggestion; does nothing where the server does not know the command. */
export type Tell = (command: string, ...args: unknown[]) => Promise<unknown>;

export class Ghost {
  /** Tabs, splits and other extensions' suggestions: what was shown last here is a good guess, not a certainty. */
  private shown: Suggestion | undefined;
  private growing = false;

  readonly middleware: Middleware = {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const place = placeOf(document, position);
      const answer = await next(document, position, this.growing ? automatic(context) : context, token);
      this.growing = false;
      if (!answer || token.isCancellationRequested) {
        return answer;
      }
      const items = Array.isArray(answer) ? answer : answer.items;
      this.shown = suggestionOf(items, place);
      const { text } = document.lineAt(position.line);
      return items.map((item) => widened(item, position, text));
    },
  };

  /** `midfill/more` has come. VS Code cannot replace what it shows, but asks again when it was hidden. */
  async grow(raw: unknown): Promise<void> {
    const more = parseMore(raw);
    if (more && hasGrown(more, this.shown, caret())) {
      this.growing = true;
      await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
      await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    }
  }

  /** Accepts a part by the editor's own command, and tells the server how much was taken. */
  async acceptPart(command: string, tell: Tell): Promise<void> {
    const { shown } = this;
    const before = caret();
    const editor = vscode.window.activeTextEditor;
    const start = editor?.document.offsetAt(editor.selection.active);
    await vscode.commands.executeCommand(command);
    if (editor && start !== undefined && isVisibleAt(shown, before)) {
      const characters = editor.document.offsetAt(editor.selection.active) - start;
      await (characters > 0 ? tell('midfill.partlyAccepted', shown.id, characters) : undefined);
    }
  }

  async dismiss(tell: Tell): Promise<void> {
    const { shown } = this;
    await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
    if (isVisibleAt(shown, caret())) {
      this.shown = undefined;
      await tell('midfill.dismissed', shown.id);
    }
  }
}

/** The item, so that it replaces the text of its line by itself; as it is where it replaces something already. */
function widened(item: vscode.InlineCompletionItem, caret: vscode.Position, line: string): vscode.InlineCompletionItem {
  const { insertText, range } = item;
  if (typeof insertText !== 'string' || !range?.start.isEqual(caret)) {
    return item;
  }
  const start = startOfText(line, caret.character);
  const wider = new vscode.Range(new vscode.Position(caret.line, start), range.end);
  return new vscode.InlineCompletionItem(line.slice(start, caret.character) + insertText, wider, item.command);
}

function caret(): Place | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor && placeOf(editor.document, editor.selection.active);
}

function placeOf({ uri, version }: vscode.TextDocument, { line, character }: vscode.Position): Place {
  return { uri: uri.toString(), version, line, character };
}

/** Nobody asked by hand: the server must answer what it has, and not look for alternatives. */
function automatic(context: vscode.InlineCompletionContext): vscode.InlineCompletionContext {
  return { ...context, triggerKind: vscode.InlineCompletionTriggerKind.Automatic };
}
