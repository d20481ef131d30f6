/** Finds `midfill-lsp`, runs it, and hands its status on; one connection at a time. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as vscode from 'vscode';
import {
  DidChangeConfigurationNotification,
  ExecuteCommandRequest,
  type LanguageClientOptions,
  State,
} from 'vscode-languageclient/node';
import { Connection } from './connection';
import { notFound, parseSettings, serverCandidates, serverOptions, type Settings } from './settings';
import { parseStatus, type Status } from './status';

const SECTION = 'midfill';

/** The server of this window; a restart replaces it, so that a new path takes effect. */
export class Client implements vscode.Disposable {
  private current: Connection | undefined;
  private turn: Promise<void> = Promise.resolve();
  private readonly listener: vscode.Disposable;

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly show: (status: Status) => void,
  ) {
    this.listener = vscode.workspace.onDidChangeConfiguration((event) => {
      void this.settingsChanged(event);
    });
  }

  /** Starts the server, or replaces the running one. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.stopCurrent();
      await this.start(readSettings());
    });
  }

  /** Ends the server for good, after whatever is under way. */
  stop(): Promise<void> {
    return this.inTurn(() => this.stopCurrent());
  }

  /** The answer of a server command that takes no arguments; undefined while no server runs. */
  async execute(command: string): Promise<unknown> {
    if (!this.current?.isRunning()) {
      return undefined;
    }
    const answer: unknown = await this.current.sendRequest(ExecuteCommandRequest.type, { command });
    return answer;
  }

  dispose(): void {
    this.listener.dispose();
  }

  /** Steps never overlap, and a failed one does not keep the next from running. */
  private inTurn(step: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(step).catch((error: unknown) => {
      this.fail(message(error));
    });
    return this.turn;
  }

  private async start(settings: Settings): Promise<void> {
    const program = await findServer(settings);
    if (program === undefined) {
      this.fail(notFound(settings));
      return;
    }
    this.log.info(`Starting ${program}`);
    this.show({ state: 'starting', reason: '', model: '' });
    // The home folder: what the opened folder contains must not matter to the program.
    const executable = { command: program, options: { cwd: os.homedir() } };
    const connection = new Connection(SECTION, executable, this.options(settings), (reason) => {
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
        this.show(status);
      }
    });
    connection.onDidChangeState((event) => {
      if (event.newState === State.Stopped && this.current === connection) {
        this.show({ state: 'disconnected', reason: 'the language server has stopped', model: '' });
      }
    });
  }

  private options(settings: Settings): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
      initializationOptions: serverOptions(settings),
      initializationFailedHandler: () => false, // told by `fail`, with buttons
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
    if (event.affectsConfiguration(`${SECTION}.serverPath`)) {
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
    this.show({ state: 'error', reason, model: '' });
    void this.offerHelp(reason);
  }

  private async offerHelp(reason: string): Promise<void> {
    const choice = await vscode.window.showErrorMessage(`Midfill: ${reason}`, 'Open Settings', 'Show Log');
    if (choice === 'Open Settings') {
      await vscode.commands.executeCommand('workbench.action.openSettings', `${SECTION}.serverPath`);
    } else if (choice === 'Show Log') {
      this.log.show();
    }
  }
}

function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return parseSettings((key) => configuration.get(key));
}

async function findServer(settings: Settings): Promise<string | undefined> {
  const machine = { platform: process.platform, home: os.homedir(), searchPath: process.env.PATH ?? '' };
  for (const candidate of serverCandidates(settings, machine)) {
    if (await isProgram(candidate)) {
      return candidate;
    }
  }
  return undefined;
}

async function isProgram(candidate: string): Promise<boolean> {
  try {
    await access(candidate, constants.X_OK);
    return (await stat(candidate)).isFile();
  } catch {
    return false; // missing or not ours to run: the next candidate is tried
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
