/** Wires the parts of the extension together; nothing is decided here. */
import * as vscode from 'vscode';
import { Client } from './client';
import { MENU, registerCommands } from './commands';
import { Fetching } from './fetching';
import { Ghost } from './ghost';
import { warnIfInvisible } from './notices';
import { StatusItem } from './statusItem';

let client: Client | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel('Midfill', { log: true });
  const status = new StatusItem(MENU);
  const ghost = new Ghost();
  const folders = {
    carried: vscode.Uri.joinPath(context.extensionUri, 'server').fsPath,
    storage: context.globalStorageUri.fsPath,
  };
  client = new Client(log, folders, ghost.middleware);
  const fetching = new Fetching(client, log, folders, (shown) => {
    status.show(shown);
  });
  context.subscriptions.push(
    log,
    status,
    client,
    client.onStatus((next) => {
      fetching.saw(next);
    }),
    client.onMore((raw) => ghost.grow(raw)),
    ...registerCommands({ client, fetching, ghost, log, status }),
  );
  void warnIfInvisible(context.globalState);
  await client.restart();
}

/** VS Code waits for this promise, but not for disposables: the server gets its goodbye here. */
export function deactivate(): Promise<void> | undefined {
  return client?.stop();
}
