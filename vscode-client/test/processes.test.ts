import { expect, test } from 'vitest';
import { isProgram, run } from '../src/processes';

const NEVER = new AbortController().signal;
const node = (code: string) => ({ program: process.execPath, args: ['-e', code] });

test('a program says its lines, and how it ends', async () => {
  const lines: string[] = [];
  const ended = await run(
    node('console.log("one"); console.error("two"); process.exit(3)'),
    (line) => lines.push(line),
    NEVER,
  );
  expect(lines.sort()).toEqual(['one', 'two']);
  expect(ended).toEqual({ status: 3, lastLines: 'one\ntwo' });
});

test('a program that is not there is an error', async () => {
  await expect(run({ program: '/nowhere/midfill', args: [] }, () => undefined, NEVER)).rejects.toThrow('ENOENT');
});

test.skipIf(process.platform === 'win32')('cancelling ends a program and what it started', async () => {
  const ending = new AbortController();
  const starter = `const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
    console.log(child.pid); setInterval(() => {}, 1000);`;
  let grandchild = 0;
  const running = run(
    node(starter),
    (line) => {
      grandchild = Number(line);
      ending.abort();
    },
    ending.signal,
  );
  // It ends only when both have closed its output.
  await expect(running).rejects.toThrow('abort');
  expect(grandchild).toBeGreaterThan(0);
});

test('what was cancelled before is not started', async () => {
  await expect(run(node(''), () => undefined, AbortSignal.abort())).rejects.toThrow('abort');
});

test.each([
  [process.execPath, true],
  ['/', false],
  ['/nowhere', false],
])('%s is a program: %s', async (path, expected) => {
  expect(await isProgram(path)).toBe(expected);
});
