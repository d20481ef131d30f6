/** Finds the program of the server, or makes an environment for it while the user watches. */
import * as os from 'node:os';
import type * as vscode from 'vscode';
import { environmentFor, isReady, SetUpError, setUp } from './managed';
import { pointedTo, pointerFile } from './pointer';
import { isProgram, run } from './processes';
import { pythonCandidates, type Machine, serverCandidates } from './programs';
import { findPython, noPython } from './python';
import type { Settings } from './settings';
import { runTask } from './tasks';

/** The program to start, and whether it is in an environment of our own. */
export interface Program {
  readonly server: string;
  readonly managed: boolean;
}

/** Where the extension keeps things. */
export interface Folders {
  /** The wheel of the server, as the extension was packaged with it. */
  readonly carried: string;
  /** Survives updates of the extension. */
  readonly storage: string;
}

/** The server's program; undefined when the user cancelled its set-up. Throws an error for the user to read. */
export async function provideServer(
  settings: Settings,
  folders: Folders,
  log: vscode.LogOutputChannel,
  signal: AbortSignal,
): Promise<Program | undefined> {
  const machine = thisMachine();
  const set = serverCandidates(settings.serverPath, machine);
  const server = await firstProgram(settings.serverPath ? set : [...(await installed(machine)), ...set]);
  if (server !== undefined) {
    return { server, managed: false };
  }
  if (settings.serverPath) {
    throw new SetUpError(`${settings.serverPath} (setting midfill.serverPath) is not a program with an absolute path.`);
  }
  return ownServer(settings, folders, machine, log, signal);
}

/** The server of `midfill setup vscode`, which knows its own better than PATH does. */
function installed({ platform, home }: Machine): Promise<string[]> {
  return pointedTo(pointerFile(platform, home, process.env));
}

async function ownServer(
  settings: Settings,
  folders: Folders,
  machine: Machine,
  log: vscode.LogOutputChannel,
  signal: AbortSignal,
): Promise<Program | undefined> {
  const environment = await environmentFor(folders.carried, folders.storage, machine.platform);
  const program = { server: environment.server, managed: true };
  if (await isReady(environment)) {
    return program;
  }
  log.info(`midfill-lsp is not on PATH: an environment is made in ${environment.folder}`);
  const began = Date.now();
  return runTask(
    'Midfill: setting up',
    async (report, cancellation) => {
      const search = await findPython(
        pythonCandidates(settings.pythonPath, machine),
        isProgram,
        run,
        cancellation.signal,
      );
      if (search.found === undefined) {
        throw new SetUpError(noPython(search));
      }
      const tools = { run, log: (line: string) => { log.info(line); }, report };
      await setUp(environment, search.found, tools, cancellation.signal);
      log.info(`The environment is ready after ${Math.round((Date.now() - began) / 1000)} s`);
      return program;
    },
    signal,
  );
}

function thisMachine(): Machine {
  return { platform: process.platform, home: os.homedir(), searchPath: process.env.PATH ?? '' };
}

async function firstProgram(candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    if (await isProgram(candidate)) {
      return candidate;
    }
  }
  return undefined;
}
