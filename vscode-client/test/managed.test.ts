import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Environment, environmentFor, isReady, setUp } from '../src/managed';
import { play, type Turn } from './doubles';

const NEVER = new AbortController().signal;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'midfill-'));
  await mkdir(path.join(folder, 'carried'));
  await writeFile(path.join(folder, 'carried', 'midfill-1.0-py3-none-any.whl'), 'wheel');
});

afterEach(() => rm(folder, { recursive: true }));

function environment(): Promise<Environment> {
  return environmentFor(path.join(folder, 'carried'), path.join(folder, 'storage'), 'linux');
}

async function check(turns: Turn[], signal: AbortSignal = NEVER): Promise<string[]> {
  const reports: string[] = [];
  const made = await environment();
  const tools = { run: play(...turns).run, log: () => undefined, report: (step: string) => reports.push(step) };
  await setUp(made, '/usr/bin/python3', tools, signal);
  return reports;
}

const makesFolder = async (): Promise<unknown> => mkdir((await environment()).folder, { recursive: true });

test('it is made in two steps, and not made again', async () => {
  const { run, commands } = play({ does: makesFolder }, { says: ['Collecting httpx<1', 'Downloading httpx-0.28.whl'] });
  const made = await environment();
  const reports: string[] = [];
  const tools = { run, log: () => undefined, report: (step: string) => reports.push(step) };
  await setUp(made, '/usr/bin/python3', tools, NEVER);
  await setUp(made, '/usr/bin/python3', tools, NEVER);
  expect(commands.map(({ program }) => program)).toEqual(['/usr/bin/python3', made.python]);
  expect(commands[1]?.args.at(-1)).toBe(`${made.wheel}[embedded]`);
  expect(reports).toContain('Installing the server: httpx');
  expect(await isReady(made)).toBe(true);
});

test('another wheel has another environment', async () => {
  const { folder: before } = await environment();
  await writeFile(path.join(folder, 'carried', 'midfill-1.0-py3-none-any.whl'), 'newer wheel');
  expect((await environment()).folder).not.toBe(before);
});

test('a step that fails is named, with its last lines, and nothing is left', async () => {
  const failing = check([{ does: makesFolder }, { says: ['ERROR: no network'], status: 1 }]);
  await expect(failing).rejects.toThrow('Installing the server failed: ERROR: no network');
  expect(await readdir(path.join(folder, 'storage'))).toEqual([]);
});

test('what was broken off is made anew', async () => {
  const half = (await environment()).folder;
  await mkdir(half, { recursive: true });
  await writeFile(path.join(half, 'leftover'), '');
  await check([{ does: makesFolder }, {}]);
  expect(await readdir(half)).toEqual(['midfill-ready']);
});

test('cancelling leaves nothing', async () => {
  const ending = new AbortController();
  const cancel = (): Promise<unknown> => {
    ending.abort();
    return makesFolder();
  };
  const cancelled = check([{ does: cancel }], ending.signal);
  await expect(cancelled).rejects.toThrow('abort');
  expect(await readdir(path.join(folder, 'storage'))).toEqual([]);
});

test('a window waits for another one that makes it', async () => {
  const made = await environment();
  await mkdir(path.dirname(made.folder), { recursive: true });
  await writeFile(`${made.folder}.lock`, String(process.pid));
  const { run, commands } = play();
  const tools = {
    run,
    log: () => undefined,
    // The other window is done as soon as this one says that it waits.
    report: (step: string) => {
      expect(step).toBe('Waiting for another window');
      void makesFolder()
        .then(() => writeFile(made.stamp, 'now'))
        .then(() => rm(`${made.folder}.lock`));
    },
  };
  await setUp(made, '/usr/bin/python3', tools, NEVER);
  expect(commands).toEqual([]);
});

test('the lock of a window that has gone is taken over', async () => {
  const made = await environment();
  await mkdir(path.dirname(made.folder), { recursive: true });
  await writeFile(`${made.folder}.lock`, '4194304999');
  await check([{ does: makesFolder }, {}]);
  expect(await isReady(made)).toBe(true);
});

test('a build without a wheel says so', async () => {
  await expect(environmentFor(path.join(folder, 'nowhere'), folder, 'linux')).rejects.toThrow('carries no server');
});

test('Windows keeps its programs elsewhere', async () => {
  const made = await environmentFor(path.join(folder, 'carried'), folder, 'win32');
  expect(made.server.replaceAll('\\', '/')).toMatch(/Scripts\/midfill-lsp\.exe$/);
});
