/**
 * The commands of the palette, the menu and the keys.
 * The client library registers the server's own commands under their names (`midfill.explain`), so ours have others.
 */
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Client } from './client';
import { readSettings, writeSetting } from './configuration';
import type { Fetching } from './fetching';
import type { Ghost } from './ghost';
import { menuRows, type Row } from './menu';
import { openSettings, showInformation } from './notices';
import { foldersAround, withEntry } from './settings';
import { here, type StatusItem } from './statusItem';

export const MENU = 'midfill.showMenu';

/** What the commands act on. */
export interface Parts {
  readonly client: Client;
  readonly fetching: Fetching;
  readonly ghost: Ghost;
  readonly log: vscode.LogOutputChannel;
  readonly status: StatusItem;
}

type Run = (parts: Parts) => unknown;

const COMMANDS: Readonly<Record<string, Run>> = {
  [MENU]: showMenu,
  'midfill.trigger': () => vscode.commands.executeCommand('editor.action.inlineSuggest.trigger'),
  'midfill.accept': () => vscode.commands.executeCommand('editor.action.inlineSuggest.commit'),
  'midfill.acceptWord': (parts) => acceptPart('editor.action.inlineSuggest.acceptNextWord', parts),
  'midfill.acceptLine': (parts) => acceptPart('editor.action.inlineSuggest.acceptNextLine', parts),
  'midfill.dismiss': ({ client, ghost }) => ghost.dismiss((...told) => client.execute(...told)),
  'midfill.toggleTrigger': () => writeSetting('trigger', here().manual ? 'automatic' : 'manual'),
  'midfill.enableLanguage': () => switchLanguage(true),
  'midfill.disableLanguage': () => switchLanguage(false),
  'midfill.enableFolder': () => enableFolder(),
  'midfill.disableFolder': () => disableFolder(),
  'midfill.explainLast': explainLast,
  'midfill.fetchModel': ({ fetching }) => fetching.fetch(),
  'midfill.restartServer': ({ client }) => client.restart(),
  'midfill.showLog': ({ log }) => {
    log.show();
  },
  'midfill.openSettings': () => openSettings(),
  'midfill.gettingStarted': () =>
    vscode.commands.executeCommand('workbench.action.openWalkthrough', 'midfill.midfill#start', false),
};

export function registerCommands(parts: Parts): vscode.Disposable[] {
  return Object.entries(COMMANDS).map(([name, run]) => vscode.commands.registerCommand(name, () => run(parts)));
}

function acceptPart(command: string, { client, ghost }: Parts): Promise<void> {
  return ghost.acceptPart(command, (...told) => client.execute(...told));
}

async function showMenu({ fetching, status }: Parts): Promise<void> {
  const rows = menuRows({
    here: here(),
    language: activeDocument()?.languageId ?? '',
    folder: path.basename(folderHere() ?? ''),
    missingModel: fetching.missing,
  });
  const row = await vscode.window.showQuickPick<vscode.QuickPickItem & Row>(rows, { placeHolder: status.look.label });
  if (row) {
    await vscode.commands.executeCommand(row.command);
  }
}

async function explainLast({ client, log }: Parts): Promise<void> {
  const answer = await client.execute('midfill.explain');
  const explanation = typeof answer === 'string' ? answer : 'the server is not running.';
  // Not awaited: the message stays until the user closes it, the command is done before.
  // It has a button because VS Code cuts messages without one down to a line.
  void showInformation(explanation, {
    'Show Log': () => {
      log.show();
    },
  });
}

async function switchLanguage(on: boolean): Promise<void> {
  const document = activeDocument();
  if (document) {
    await writeSetting('disabledLanguages', withEntry(readSettings().disabledLanguages, document.languageId, !on));
  }
}

async function disableFolder(): Promise<void> {
  const folder = folderHere();
  if (folder !== undefined) {
    await writeSetting('disabledFolders', withEntry(readSettings().disabledFolders, folder, true));
  }
}

/** Takes away whatever switches the active file off, which may be a folder far above. */
async function enableFolder(): Promise<void> {
  const file = activeDocument()?.uri.fsPath;
  if (file !== undefined) {
    const { disabledFolders } = readSettings();
    const around = new Set(foldersAround(disabledFolders, file, path.sep));
    await writeSetting(
      'disabledFolders',
      disabledFolders.filter((folder) => !around.has(folder)),
    );
  }
}

function activeDocument(): vscode.TextDocument | undefined {
  return vscode.window.activeTextEditor?.document;
}

/** The folder of the workspace that holds the active file, else the one that the file lies in. */
function folderHere(): string | undefined {
  const uri = activeDocument()?.uri;
  if (uri?.scheme !== 'file') {
    return undefined;
  }
  return vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath ?? path.dirname(uri.fsPath);
}
