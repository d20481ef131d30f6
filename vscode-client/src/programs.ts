/** Where programs may be on this machine, best first; no editor, no file. */
import * as path from 'node:path';

/** What decides where a program may be. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly searchPath: string;
}

const SERVER = 'midfill-lsp';

/** Versions first that every wheel Midfill needs is known to exist for. */
const PYTHONS = ['python3.12', 'python3.13', 'python3.11', 'python3.14', 'python3', 'python'];

/**
 * The files that may be the server.
 * Only absolute ones: a relative path or PATH entry would let the opened folder choose the program.
 */
export function serverCandidates(serverPath: string, machine: Machine): string[] {
  return candidates(serverPath, [SERVER], machine);
}

/** The files that may be a Python to make an environment with. */
export function pythonCandidates(pythonPath: string, machine: Machine): string[] {
  return candidates(pythonPath, machine.platform === 'win32' ? ['python', 'py'] : PYTHONS, machine);
}

/** The command-line tool beside a server program. */
export function toolBeside(server: string): string {
  return path.join(path.dirname(server), path.basename(server).replace(SERVER, 'midfill'));
}

function candidates(chosen: string, names: readonly string[], machine: Machine): string[] {
  const found = chosen
    ? [chosen.replace(/^~(?=[/\\])/, () => machine.home)]
    : names.flatMap((name) => onSearchPath(name, machine));
  return found.filter((candidate) => path.isAbsolute(candidate));
}

function onSearchPath(name: string, { platform, searchPath }: Machine): string[] {
  const windows = platform === 'win32';
  const folders = searchPath.split(windows ? ';' : ':').filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, windows ? `${name}.exe` : name));
}
