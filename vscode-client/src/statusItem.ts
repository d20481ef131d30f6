/** The status bar item, and the context keys that say which commands make sense in the active editor. */
import * as path from 'node:path';
import * as vscode from 'vscode';
import { readSettings, SECTION } from './configuration';
import { foldersAround } from './settings';
import { hear, type Here, type Look, lookOf, NOWHERE, type Status, statusHere, type Told, toldOf } from './status';

const COLOURS = { error: 'statusBarItem.errorBackground', warning: 'statusBarItem.warningBackground' } as const;

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('midfill.status', vscode.StatusBarAlignment.Right, 100);
  private readonly listeners: vscode.Disposable[];
  private told: Told = { general: { state: 'starting', reason: '', model: '' } };

  constructor(command: string) {
    this.item.name = 'Midfill';
    this.item.command = command;
    this.listeners = [
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.draw();
      }),
      vscode.workspace.onDidOpenTextDocument(() => {
        this.draw(); // also when the language of an open document changes
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(SECTION) || event.affectsConfiguration('editor.inlineSuggest')) {
          this.draw();
        }
      }),
    ];
    this.draw();
    this.item.show();
  }

  show(status: Status): void {
    this.told = hear(this.told, status, activeUri());
    this.draw();
  }

  /** What is shown now. */
  get look(): Look {
    return lookOf(statusHere(toldOf(this.told, activeUri()), here()));
  }

  dispose(): void {
    vscode.Disposable.from(this.item, ...this.listeners).dispose();
  }

  private draw(): void {
    const now = here();
    const look = lookOf(statusHere(toldOf(this.told, activeUri()), now));
    this.item.text = look.text;
    this.item.tooltip = look.tooltip;
    this.item.accessibilityInformation = { label: look.label };
    this.item.backgroundColor = look.background === 'none' ? undefined : new vscode.ThemeColor(COLOURS[look.background]);
    setContext('languageOff', now.languageOff);
    setContext('folderOff', now.folderOff);
  }
}

/** What the settings say of the active editor. */
export function here(): Here {
  const document = vscode.window.activeTextEditor?.document;
  const settings = readSettings();
  const general = { ...NOWHERE, disabled: !settings.enabled, manual: settings.trigger === 'manual' };
  if (!document) {
    return general;
  }
  const inline = vscode.workspace.getConfiguration('editor', document).get<boolean>('inlineSuggest.enabled', true);
  return {
    ...general,
    languageOff: settings.disabledLanguages.includes(document.languageId),
    folderOff: foldersAround(settings.disabledFolders, document.uri.fsPath, path.sep).length > 0,
    inlineSuggestOff: !inline,
  };
}

function activeUri(): string {
  return vscode.window.activeTextEditor?.document.uri.toString() ?? '';
}

function setContext(key: string, value: boolean): void {
  void vscode.commands.executeCommand('setContext', `${SECTION}.${key}`, value);
}
