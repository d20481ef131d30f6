/** The ghost text of this window: what is shown, what the user does with it, and how it grows. */
import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import { hasGrown, isVisibleAt, parseMore, type Place, type Suggestion, suggestionOf } from './suggestions';

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
      if (answer && !token.isCancellationRequested) {
        this.shown = suggestionOf(Array.isArray(answer) ? answer : answer.items, place);
      }
      return answer;
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
