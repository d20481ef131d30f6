/** The status bar item: what the server says in `midfill/status`, as an icon and a tooltip. */
import * as vscode from 'vscode';

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

type State = keyof typeof ICONS;

export interface Status {
  readonly state: State;
  readonly reason: string;
  readonly model: string;
}

/** Undefined: not a status, or one of a newer server that this client has no icon for. */
export function parseStatus(raw: unknown): Status | undefined {
  if (typeof raw !== 'object' || raw === null) {
    return undefined;
  }
  const { state, reason, model } = raw as Record<string, unknown>;
  return isState(state) ? { state, reason: text(reason), model: text(model) } : undefined;
}

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('midfill.status', vscode.StatusBarAlignment.Right, 100);

  constructor(command: string) {
    this.item.name = 'Midfill';
    this.item.command = command;
    this.show({ state: 'starting', reason: '', model: '' });
    this.item.show();
  }

  show(status: Status): void {
    this.item.text = `${ICONS[status.state]} Midfill`;
    this.item.tooltip = `Midfill: ${[status.state, status.model, status.reason].filter(Boolean).join(', ')}`;
    this.item.backgroundColor =
      status.state === 'error' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}

function isState(value: unknown): value is State {
  return typeof value === 'string' && Object.hasOwn(ICONS, value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
