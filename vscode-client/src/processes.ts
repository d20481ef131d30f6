/** Runs a program to its end, line by line, and ends it with everything that it started when nobody wants it any more. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import * as os from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** How a program ended; `lastLines` is the end of what it said, for the user. */
export interface Ended {
  readonly status: number;
  readonly lastLines: string;
}

/** Starts a program; tests pass one that plays a script instead. */
export type Run = (command: Command, onLine: (line: string) => void, signal: AbortSignal) => Promise<Ended>;

const KEPT_LINES = 5;

/** Rejects with the signal's reason when that was aborted, and when the program cannot be started. */
export const run: Run = async (command, onLine, signal) => {
  signal.throwIfAborted();
  const windows = process.platform === 'win32';
  const child = spawn(command.program, command.args, {
    // The home folder: what the opened folder contains must not matter to the program.
    cwd: os.homedir(),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it has started ends with it.
    detached: !windows,
    windowsHide: true,
  });
  const end = (): void => {
    endTree(child, windows);
  };
  signal.addEventListener('abort', end);
  try {
    const said = Promise.all([lines(child.stdout, onLine), lines(child.stderr, onLine)]);
    const status = await exitOf(child);
    const [out, err] = await said;
    signal.throwIfAborted();
    return { status, lastLines: [...out, ...err].slice(-KEPT_LINES).join('\n') };
  } finally {
    signal.removeEventListener('abort', end);
  }
};

export async function isProgram(candidate: string): Promise<boolean> {
  try {
    await access(candidate, constants.X_OK);
    return (await stat(candidate)).isFile();
  } catch {
    return false; // missing or not ours to run: the next candidate is tried
  }
}

async function lines(stream: Readable, onLine: (line: string) => void): Promise<string[]> {
  const last: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    onLine(line);
    last.push(line);
    last.splice(0, last.length - KEPT_LINES);
  }
  return last;
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      resolve(status ?? 1);
    });
  });
}

function endTree(child: ChildProcess, windows: boolean): void {
  if (child.pid === undefined) {
    return;
  }
  if (windows) {
    spawn('taskkill', ['/pid', String(child.pid), '/t', '/f'], { windowsHide: true }).once('error', () => {
      child.kill();
    });
    return;
  }
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    // It has ended in the meantime.
  }
}
