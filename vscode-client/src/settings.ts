/** The user's settings as one frozen value, and what the server is told of them; no editor, no file. */

export interface Settings {
  readonly enabled: boolean;
  readonly trigger: string;
  readonly disabledLanguages: readonly string[];
  readonly disabledFolders: readonly string[];
  readonly telemetry: boolean;
  /** Options of the server that have no setting of their own, by its names. */
  readonly advanced: Readonly<Record<string, unknown>>;
  readonly serverPath: string;
  readonly pythonPath: string;
}

/** What the server understands; sent whole at start and at every change. */
export type ServerOptions = Readonly<Record<string, unknown>>;

/** VS Code waits this long after a change before it asks; the server takes it off its own debounce. */
const CLIENT_WAIT_MS = 50;

export const DEFAULTS: Settings = {
  enabled: true,
  trigger: 'automatic',
  disabledLanguages: [],
  disabledFolders: [],
  telemetry: true,
  advanced: {},
  serverPath: '',
  pythonPath: '',
};

/** Values of the wrong type count as not set: the settings editor already marks them for the user. */
export function parseSettings(get: (key: keyof Settings) => unknown): Settings {
  return {
    enabled: flag(get('enabled'), DEFAULTS.enabled),
    trigger: text(get('trigger'), DEFAULTS.trigger),
    disabledLanguages: texts(get('disabledLanguages')),
    disabledFolders: texts(get('disabledFolders')),
    telemetry: flag(get('telemetry'), DEFAULTS.telemetry),
    advanced: options(get('advanced')),
    serverPath: text(get('serverPath'), DEFAULTS.serverPath).trim(),
    pythonPath: text(get('pythonPath'), DEFAULTS.pythonPath).trim(),
  };
}

export function serverOptions(settings: Settings): ServerOptions {
  const { advanced, enabled, trigger, disabledLanguages, disabledFolders, telemetry } = settings;
  return {
    ...advanced,
    enabled,
    trigger,
    disabledLanguages,
    disabledFolders,
    telemetry,
    clientWaitMs: CLIENT_WAIT_MS,
    // An answer cannot grow in VS Code: it is told once, at the end, and asks again.
    streaming: 'once',
  };
}

/** `list` with or without the entry. */
export function withEntry(list: readonly string[], entry: string, wanted: boolean): string[] {
  const others = list.filter((each) => each !== entry);
  return wanted ? [...others, entry] : others;
}

/** The entries of `disabledFolders` that switch this file off; `separator` is that of the machine. */
export function foldersAround(folders: readonly string[], file: string, separator: string): string[] {
  return folders.filter((folder) => {
    const bare = folder.endsWith(separator) ? folder.slice(0, -1) : folder;
    return file === bare || file.startsWith(bare + separator);
  });
}

function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === 'boolean' ? value : otherwise;
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function options(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
