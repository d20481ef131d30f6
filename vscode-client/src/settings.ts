/** The user's settings as one frozen value, and what is derived from them; no editor, no file. */
import * as path from 'node:path';

export interface Settings {
  readonly enabled: boolean;
  readonly trigger: string;
  readonly disabledLanguages: readonly string[];
  readonly serverPath: string;
}

/** What the server understands; sent whole at start and at every change. */
export interface ServerOptions {
  readonly clientWaitMs: number;
  readonly enabled: boolean;
  readonly trigger: string;
  readonly disabledLanguages: readonly string[];
}

/** VS Code waits this long after a change before it asks; the server takes it off its own debounce. */
const CLIENT_WAIT_MS = 50;

const DEFAULTS: Settings = { enabled: true, trigger: 'automatic', disabledLanguages: [], serverPath: '' };

/** Values of the wrong type count as not set: the settings editor already marks them for the user. */
export function parseSettings(get: (key: string) => unknown): Settings {
  const enabled = get('enabled');
  const trigger = get('trigger');
  const disabledLanguages = get('disabledLanguages');
  const serverPath = get('serverPath');
  return {
    enabled: typeof enabled === 'boolean' ? enabled : DEFAULTS.enabled,
    trigger: typeof trigger === 'string' ? trigger : DEFAULTS.trigger,
    disabledLanguages: Array.isArray(disabledLanguages) ? disabledLanguages.filter(isText) : DEFAULTS.disabledLanguages,
    serverPath: typeof serverPath === 'string' ? serverPath.trim() : DEFAULTS.serverPath,
  };
}

export function serverOptions({ enabled, trigger, disabledLanguages }: Settings): ServerOptions {
  return { clientWaitMs: CLIENT_WAIT_MS, enabled, trigger, disabledLanguages };
}

/** What decides where the server program may be. */
export interface Machine {
  readonly platform: string;
  readonly home: string;
  readonly searchPath: string;
}

/**
 * The files that may be the server, best first.
 * Only absolute ones: a relative path or PATH entry would let the opened folder choose the program.
 */
export function serverCandidates(settings: Settings, machine: Machine): string[] {
  const candidates = settings.serverPath
    ? [settings.serverPath.replace(/^~(?=[/\\])/, () => machine.home)]
    : onSearchPath(machine);
  return candidates.filter((candidate) => path.isAbsolute(candidate));
}

function onSearchPath({ platform, searchPath }: Machine): string[] {
  const windows = platform === 'win32';
  const program = windows ? 'midfill-lsp.exe' : 'midfill-lsp';
  const folders = searchPath.split(windows ? ';' : ':').filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, program));
}

/** What to tell the user when none of the candidates can be run. */
export function notFound(settings: Settings): string {
  return settings.serverPath
    ? `${settings.serverPath} (setting midfill.serverPath) is not a program with an absolute path.`
    : 'midfill-lsp was not found on PATH. Install Midfill, or name the program in the setting midfill.serverPath.';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
