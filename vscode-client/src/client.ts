/** Runs `midfill-lsp` and hands its status on; one connection at a time. */
import * as os from 'node:os';
import * as vscode from 'vscode';
import {
  DidChangeConfigurationNotification,
  ExecuteCommandRequest,
  type LanguageClientOptions,
  type Middleware,
  State,
} from 'vscode-languageclient/node';
import { readSettings, SECTION } from './configuration';
import { Connection } from './connection';
import { showFailure } from './notices';
import { type Folders, type Program, provideServer } from './setup';
import { type ServerOptions, serverOptions } from './settings';
import { parseStatus, type Status } from './status';

/** Settings that the running server cannot take: it is replaced. */
const AT_START = [`${SECTION}.serverPath`, `${SECTION}.pythonPath`, `${SECTION}.advanced`];

/** The server of this window; a restart replaces it, so that a new path takes effect. */
export class Client implements vscode.Disposable {
  /** What runs, or was tried last. */
  program: Program | undefined;
  private readonly statuses = new vscode.EventEmitter<Status>();
  private readonly growth = new vscode.EventEmitter<unknown>();
  readonly onStatus = this.statuses.event;
  /** The parameters of `midfill/more` notifications, as they came. */
  readonly onMore = this.growth.event;
  private current: Connection | undefined;
  private turn: Promise<void> = Promise.resolve();
  private settingUp = new AbortController();
  private readonly changes: vscode.Disposable;

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly folders: Folders,
    private readonly middleware: Middleware,
  ) {
    this.changes = vscode.workspace.onDidChangeConfiguration((event) => {
      void this.settingsChanged(event);
    });
  }

  /** Starts the server, or replaces the running one. */
  restart(): Promise<void> {
    this.settingUp.abort();
    return this.inTurn(async () => {
      await this.stopCurrent();
      await this.start();
    });
  }

  /** Ends the server for good, after whatever is under way. */
  stop(): Promise<void> {
    this.settingUp.abort();
    return this.inTurn(() => this.stopCurrent());
  }

  /** The answer of a server command; undefined while no server runs, or where it does not know the command. */
  async execute(command: string, ...args: unknown[]): Promise<unknown> {
    const { current } = this;
    const known = current?.initializeResult?.capabilities.executeCommandProvider?.commands;
    if (!current?.isRunning() || !known?.includes(command)) {
      return undefined;
    }
    const answer: unknown = await current.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
    return answer;
  }

  dispose(): void {
    vscode.Disposable.from(this.changes, this.statuses, this.growth).dispose();
  }

  /** Steps never overlap, and a failed one does not keep the next from running. */
  private inTurn(step: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(step).catch((error: unknown) => {
      this.fail(message(error));
    });
    return this.turn;
  }

  private async start(): Promise<void> {
    this.settingUp = new AbortController();
    const settings = readSettings();
    this.show('starting', '');
    this.program = await provideServer(settings, this.folders, this.log, this.settingUp.signal);
    if (this.program === undefined) {
      this.show('disconnected', 'the set-up was cancelled; Midfill: Restart Server begins it again');
      return;
    }
    this.connect(this.program.server, serverOptions(readSettings()));
  }

  private connect(program: string, options: ServerOptions): void {
    this.log.info(`Starting ${program}`);
    // The home folder: what the opened folder contains must not matter to the program.
    const executable = { command: program, options: { cwd: os.homedir() } };
    const connection = new Connection(SECTION, executable, this.options(options), (reason) => {
      this.fail(reason);
    });
    this.current = connection;
    this.follow(connection);
    // Not awaited: a program that never answers must not keep a restart with another one waiting.
    connection.start().catch((error: unknown) => {
      if (this.current === connection) {
        this.current = undefined;
        this.fail(`${program} did not start as a language server: ${message(error)}`);
      }
    });
  }

  private follow(connection: Connection): void {
    connection.onNotification('midfill/status', (raw: unknown) => {
      const status = parseStatus(raw);
      if (status && this.current === connection) {
        this.log.info(`Status: ${status.state}${status.reason && `, ${status.reason}`}`);
        this.statuses.fire(status);
      }
    });
    connection.onNotification('midfill/more', (raw: unknown) => {
      this.growth.fire(raw);
    });
    connection.onDidChangeState((event) => {
      if (event.newState === State.Stopped && this.current === connection) {
        this.show('disconnected', 'the language server has stopped');
      }
    });
  }

  private options(options: ServerOptions): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
      initializationOptions: options,
      initializationFailedHandler: () => false, // told by `fail`, with buttons
      middleware: this.middleware,
      outputChannel: this.log,
    };
  }

  private async stopCurrent(): Promise<void> {
    const connection = this.current;
    this.current = undefined;
    try {
      await connection?.dispose();
    } catch (error) {
      // A server that crashed, hangs or never started cannot say goodbye; the next one must start all the same.
      this.log.warn(`The server did not stop cleanly: ${message(error)}`);
    }
  }

  private async settingsChanged(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (AT_START.some((setting) => event.affectsConfiguration(setting))) {
      await this.restart();
    } else if (event.affectsConfiguration(SECTION) && this.current) {
      const change = { settings: serverOptions(readSettings()) };
      await this.current.sendNotification(DidChangeConfigurationNotification.type, change).catch((error: unknown) => {
        this.log.warn(`The server did not take the new settings: ${message(error)}`);
      });
    }
  }

  private fail(reason: string): void {
    this.log.error(reason);
    this.show('error', reason);
    void showFailure(reason, this.log, { 'Try Again': () => this.restart() });
  }

  private show(state: Status['state'], reason: string): void {
    this.statuses.fire({ state, reason, model: '' });
  }
}

export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
