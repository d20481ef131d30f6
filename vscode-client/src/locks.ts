/** One window at a time: a lock file with the number of the process that holds it. */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 300;

/** Runs `work` while no other process does under the same file. Throws the signal's reason while it waits. */
export async function withLock<T>(
  file: string,
  waiting: () => void,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  await acquire(file, waiting, signal);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function acquire(file: string, waiting: () => void, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  while (!(await created(file))) {
    if (isAbandoned(await readFile(file, 'utf8').catch(() => ''))) {
      await rm(file, { force: true });
    } else {
      waiting();
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}

async function created(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

/** An empty file was made a moment ago, and is about to get its number. */
function isAbandoned(holder: string): boolean {
  const pid = Number(holder);
  if (!(pid > 0)) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EPERM';
  }
}
