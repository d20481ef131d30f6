/** What the status bar says: the server's status, and what the settings make of it where the caret is; no editor. */

const ICONS = {
  starting: '$(loading~spin)',
  ready: '$(check)',
  working: '$(sync~spin)',
  cached: '$(zap)',
  manual: '$(chevron-right)',
  slow: '$(watch)',
  off: '$(circle-slash)',
  error: '$(error)',
  disconnected: '$(debug-disconnect)',
} as const;

export type State = keyof typeof ICONS;

export interface Status {
  readonly state: State;
  readonly reason: string;
  readonly model: string;
}

/** What the settings say of the active editor; all false where there is none. */
export interface Here {
  readonly disabled: boolean;
  readonly manual: boolean;
  readonly languageOff: boolean;
  readonly folderOff: boolean;
  readonly inlineSuggestOff: boolean;
}

/** One status bar item. */
export interface Look {
  readonly text: string;
  /** All of it in words, for those who cannot see the icon. */
  readonly label: string;
  readonly tooltip: string;
  readonly background: 'error' | 'warning' | 'none';
}

export const NOWHERE: Here = {
  disabled: false,
  manual: false,
  languageOff: false,
  folderOff: false,
  inlineSuggestOff: false,
};

const OFF_REASONS: readonly (readonly [keyof Here, string])[] = [
  ['disabled', 'switched off in the settings'],
  ['inlineSuggestOff', 'the editor shows no inline suggestions (setting editor.inlineSuggest.enabled)'],
  ['languageOff', 'switched off for this language'],
  ['folderOff', 'switched off for this folder'],
];

const BACKGROUNDS: Partial<Record<State, Look['background']>> = { error: 'error', disconnected: 'warning' };

/** Trouble comes first: switching something on would not help while it lasts. */
const TROUBLE: ReadonlySet<State> = new Set(['starting', 'error', 'disconnected']);

/** Undefined: not a status, or one of a newer server that this client has no icon for. */
export function parseStatus(raw: unknown): Status | undefined {
  if (typeof raw !== 'object' || raw === null) {
    return undefined;
  }
  const { state, reason, model } = raw as Record<string, unknown>;
  return isState(state) ? { state, reason: text(reason), model: text(model) } : undefined;
}

/** What the server has said: of the window, and of the document where it is off. */
export interface Told {
  readonly general: Status;
  readonly off?: { readonly uri: string; readonly status: Status };
}

/** The server says `off` of the document that it was asked about, and takes it back only when it is asked again. */
export function hear(told: Told, status: Status, uri: string): Told {
  return status.state === 'off' ? { general: told.general, off: { uri, status } } : { general: status };
}

export function toldOf({ general, off }: Told, uri: string): Status {
  return off?.uri === uri ? off.status : general;
}

/** The server's status as it is for the active editor; settings tell at once what the server only says when asked. */
export function statusHere(status: Status, here: Here): Status {
  if (TROUBLE.has(status.state)) {
    return status;
  }
  const off = OFF_REASONS.find(([key]) => here[key]);
  if (off) {
    return { ...status, state: 'off', reason: off[1] };
  }
  if (here.manual && (status.state === 'ready' || status.state === 'cached')) {
    return { ...status, state: 'manual', reason: 'suggestions come when you ask for them' };
  }
  return status;
}

export function lookOf(status: Status): Look {
  const label = `Midfill: ${[status.state, status.model, status.reason].filter(Boolean).join(', ')}`;
  return {
    text: `${ICONS[status.state]} Midfill`,
    label,
    tooltip: `${label}\nClick for the menu`,
    background: BACKGROUNDS[status.state] ?? 'none',
  };
}

function isState(value: unknown): value is State {
  return typeof value === 'string' && Object.hasOwn(ICONS, value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
