/** Reads and writes the settings of this window. */
import * as vscode from 'vscode';
import { parseSettings, type Settings } from './settings';

export const SECTION = 'midfill';

export function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return parseSettings((key) => configuration.get(key));
}

/** Writes where the value comes from now, so that it takes effect; the user's own settings otherwise. */
export async function writeSetting(key: keyof Settings, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const ofWorkspace = configuration.inspect(key)?.workspaceValue !== undefined;
  const target = ofWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await configuration.update(key, value, target);
}
