/** The server in an environment of our own: made of the wheel that the extension carries, once for each such wheel. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { withLock } from './locks';
import type { Command, Run } from './processes';

/** Where the parts of one environment are. */
export interface Environment {
  readonly folder: string;
  readonly wheel: string;
  readonly python: string;
  readonly server: string;
  /** Written last, so an environment without it was never finished. */
  readonly stamp: string;
}

/** What a set-up needs of the outside. */
export interface Tools {
  readonly run: Run;
  /** Every line that a program says. */
  readonly log: (line: string) => void;
  /** One short line for the user. */
  readonly report: (step: string) => void;
}

/** A step of the set-up failed; the message is for the user. */
export class SetUpError extends Error {}

const WHEEL = /^midfill-.*\.whl$/;

/** The environment that belongs to the wheel in `carried`. Throws SetUpError when there is none. */
export async function environmentFor(
  carried: string,
  storage: string,
  platform: NodeJS.Platform,
): Promise<Environment> {
  const names = await readdir(carried).catch(() => []);
  const name = names.find((each) => WHEEL.test(each));
  if (name === undefined) {
    throw new SetUpError('this build of the extension carries no server; install Midfill, and restart the server');
  }
  const wheel = path.join(carried, name);
  const hash = createHash('sha256').update(await readFile(wheel));
  const folder = path.join(storage, `server-${hash.digest('hex').slice(0, 12)}`);
  const programs = path.join(folder, platform === 'win32' ? 'Scripts' : 'bin');
  const suffix = platform === 'win32' ? '.exe' : '';
  return {
    folder,
    wheel,
    python: path.join(programs, `python${suffix}`),
    server: path.join(programs, `midfill-lsp${suffix}`),
    stamp: path.join(folder, 'midfill-ready'),
  };
}

export async function isReady(environment: Environment): Promise<boolean> {
  return (await readFile(environment.stamp, 'utf8').catch(() => '')) !== '';
}

/** Makes the environment, unless another window does meanwhile. Throws SetUpError, or the reason of the signal. */
export async function setUp(
  environment: Environment,
  python: string,
  tools: Tools,
  signal: AbortSignal,
): Promise<void> {
  const waiting = (): void => {
    tools.report('Waiting for another window');
  };
  await withLock(`${environment.folder}.lock`, waiting, signal, async () => {
    if (!(await isReady(environment))) {
      await make(environment, python, tools, signal);
    }
  });
}

async function make(environment: Environment, python: string, tools: Tools, signal: AbortSignal): Promise<void> {
  await rm(environment.folder, { recursive: true, force: true });
  try {
    for (const [name, command] of steps(environment, python)) {
      tools.report(name);
      tools.log(`${name}: ${command.program} ${command.args.join(' ')}`);
      const { status, lastLines } = await tools.run(command, told(tools), signal);
      if (status !== 0) {
        throw new SetUpError(`${name} failed: ${lastLines || `exit status ${status}`}`);
      }
    }
    await writeFile(environment.stamp, `${new Date().toISOString()}\n`);
  } catch (error) {
    await rm(environment.folder, { recursive: true, force: true });
    throw error;
  }
}

function steps(environment: Environment, python: string): [string, Command][] {
  const pip = ['-I', '-m', 'pip', '--disable-pip-version-check', '--no-input', 'install', '--progress-bar', 'off'];
  return [
    ['Making a Python environment', { program: python, args: ['-I', '-m', 'venv', environment.folder] }],
    [
      'Installing the server',
      { program: environment.python, args: [...pip, '--no-user', `${environment.wheel}[embedded]`] },
    ],
  ];
}

/** pip's names of what it fetches are worth showing; the rest of its lines are for the log. */
function told({ log, report }: Tools): (line: string) => void {
  return (line) => {
    log(line);
    const fetching = /^\s*(?:Collecting|Downloading|Installing collected) ([^\s;<>=~!]+)/.exec(line);
    if (fetching?.[1]) {
      report(`Installing the server: ${path.basename(fetching[1])}`);
    }
  };
}
