/** Messages with buttons: one for a failure, and warnings that come once. */
import * as vscode from 'vscode';
import { SECTION } from './configuration';

/** What each button does, by its label. */
export type Buttons = Readonly<Record<string, () => unknown>>;

const INLINE_SUGGEST = 'inlineSuggest.enabled';
const SILENCED = 'silenced.inlineSuggest';

/** One error; the user may look into the log and the settings, whatever else is offered. */
export async function showFailure(text: string, log: vscode.LogOutputChannel, more: Buttons = {}): Promise<void> {
  const buttons: Buttons = {
    ...more,
    'Show Log': () => {
      log.show();
    },
    'Open Settings': openSettings,
  };
  await press(buttons, await vscode.window.showErrorMessage(`Midfill: ${text}`, ...Object.keys(buttons)));
}

export async function showOffer(text: string, buttons: Buttons): Promise<void> {
  await press(buttons, await vscode.window.showWarningMessage(`Midfill: ${text}`, ...Object.keys(buttons)));
}

export async function showInformation(text: string, buttons: Buttons): Promise<void> {
  await press(buttons, await vscode.window.showInformationMessage(text, ...Object.keys(buttons)));
}

export async function openSettings(): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${SECTION}.${SECTION}`);
}

/** Suggestions cannot be seen while the editor's own switch is off: says so once in each window, or never again. */
export async function warnIfInvisible(memory: vscode.Memento): Promise<void> {
  const editor = vscode.workspace.getConfiguration('editor');
  if (editor.get<boolean>(INLINE_SUGGEST, true) || memory.get<boolean>(SILENCED, false)) {
    return;
  }
  await showOffer('the editor shows no inline suggestions, because editor.inlineSuggest.enabled is off.', {
    Enable: () => editor.update(INLINE_SUGGEST, true, vscode.ConfigurationTarget.Global),
    "Don't Show Again": () => memory.update(SILENCED, true),
  });
}

async function press(buttons: Buttons, label: string | undefined): Promise<void> {
  if (label !== undefined) {
    await buttons[label]?.();
  }
}
