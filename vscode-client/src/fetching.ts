/** Sees to it that there is a model: fetched at once into an environment of our own, else when the user says so. */
import * as path from 'node:path';
import type * as vscode from 'vscode';
import { type Client, message } from './client';
import { withLock } from './locks';
import { fetchModel, modelToFetch, parseProgress } from './models';
import { showFailure, showOffer } from './notices';
import { run } from './processes';
import { toolBeside } from './programs';
import type { Folders } from './setup';
import type { Status } from './status';
import { runTask } from './tasks';

/** The offline model, for those who fetch one although the server lacks none. */
const DEFAULT_MODEL = 'smollm2-135m';

export class Fetching {
  /** What the server lacks at the moment. */
  missing: string | undefined;
  private seen = false;
  private running = false;
  private told: Status = { state: 'starting', reason: '', model: '' };

  constructor(
    private readonly client: Client,
    private readonly log: vscode.LogOutputChannel,
    private readonly folders: Folders,
    private readonly show: (status: Status) => void,
  ) {}

  /** A new status of the server; the first that lacks a model sets something off. */
  saw(status: Status): void {
    this.told = status;
    this.missing = modelToFetch(status);
    this.tell();
    if (this.missing === undefined || this.seen) {
      return;
    }
    this.seen = true;
    if (this.client.program?.managed) {
      void this.fetch();
    } else {
      void showOffer(status.reason, { 'Fetch the Model': () => this.fetch() });
    }
  }

  async fetch(): Promise<void> {
    const model = this.missing ?? DEFAULT_MODEL;
    const { program } = this.client;
    if (program === undefined || this.running) {
      return;
    }
    this.running = true;
    this.tell();
    try {
      await this.pull(toolBeside(program.server), model);
    } catch (error) {
      this.log.error(message(error));
      void showFailure(message(error), this.log, { 'Try Again': () => this.fetch() });
    } finally {
      this.running = false;
      this.tell();
    }
  }

  /** That a model is missing is no error while it is on its way. */
  private tell(): void {
    const { running, missing, told } = this;
    const reason = `the model ${missing ?? ''} is being fetched`;
    this.show(running && missing !== undefined ? { ...told, state: 'starting', reason } : told);
  }

  private async pull(tool: string, model: string): Promise<void> {
    this.log.info(`Fetching the model ${model}`);
    await runTask(`Midfill: fetching the model ${model}`, async (report, { signal }) => {
      const follow = (line: string): void => {
        const progress = parseProgress(line);
        if (progress) {
          report(`${progress.step}, ${progress.percent} %`, progress.percent);
        } else {
          this.log.info(line);
        }
      };
      const waiting = (): void => {
        report('Waiting for another window');
      };
      const lock = path.join(this.folders.storage, 'model.lock');
      await withLock(lock, waiting, signal, () => fetchModel(tool, model, run, follow, signal));
      this.log.info(`The model ${model} is there`);
    });
  }
}
