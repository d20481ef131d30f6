/**
 * The commands of the palette.
 * The client library registers the server's own commands under their names (`midfill.explain`), so ours have others.
 */
import * as vscode from 'vscode';
import type { Client } from './client';

export const EXPLAIN_LAST = 'midfill.explainLast';

type Run = (client: Client, log: vscode.LogOutputChannel) => Promise<void> | void;

const COMMANDS: Readonly<Record<string, Run>> = {
  [EXPLAIN_LAST]: explainLast,
  'midfill.restartServer': (client) => client.restart(),
  'midfill.showLog': (_, log) => {
    log.show();
  },
};

export function registerCommands(client: Client, log: vscode.LogOutputChannel): vscode.Disposable[] {
  return Object.entries(COMMANDS).map(([name, run]) => vscode.commands.registerCommand(name, () => run(client, log)));
}

async function explainLast(client: Client): Promise<void> {
  const answer = await client.execute('midfill.explain');
  const explanation = typeof answer === 'string' ? answer : 'Midfill is not running; see Midfill: Show Log.';
  // Not awaited: the message stays until the user closes it, the command is done before.
  void vscode.window.showInformationMessage(explanation);
}
