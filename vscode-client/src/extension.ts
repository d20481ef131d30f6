/** Wires the parts of the extension together; nothing is decided here. */
import * as vscode from 'vscode';
import { Client } from './client';
import { EXPLAIN_LAST, registerCommands } from './commands';
import { StatusItem } from './status';

let client: Client | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel('Midfill', { log: true });
  const status = new StatusItem(EXPLAIN_LAST);
  client = new Client(log, (next) => {
    status.show(next);
  });
  context.subscriptions.push(log, status, client, ...registerCommands(client, log));
  await client.restart();
}

/** VS Code waits for this promise, but not for disposables: the server gets its goodbye here. */
export function deactivate(): Promise<void> | undefined {
  return client?.stop();
}
