import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pointedTo, pointerFile } from '../src/pointer';

test.each([
  ['linux', {}, '/home/me/.local/share/midfill/server-path'],
  ['linux', { XDG_DATA_HOME: '/data' }, '/data/midfill/server-path'],
  ['linux', { XDG_DATA_HOME: 'data' }, '/home/me/.local/share/midfill/server-path'],
  ['linux', { MIDFILL_HOME: '/mine', XDG_DATA_HOME: '/data' }, '/mine/data/server-path'],
  ['darwin', {}, '/home/me/Library/Application Support/midfill/server-path'],
] as const)('on %s with %j it is %s', (platform, environment, expected) => {
  expect(pointerFile(platform, '/home/me', environment)).toBe(expected);
});

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'pointer-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test.each([
  ['/opt/bin/midfill-lsp\n', 0o600, ['/opt/bin/midfill-lsp']],
  ['bin/midfill-lsp\n', 0o600, []],
  ['/opt/bin/midfill-lsp\n', 0o644, []],
  ['/'.padEnd(5000, 'x'), 0o600, []],
  ['', 0o600, []],
])('%j with mode %i names %j', async (content, mode, expected) => {
  const file = path.join(folder, 'server-path');
  writeFileSync(file, content);
  chmodSync(file, mode);
  expect(await pointedTo(file)).toEqual(expected);
});

test('a link names nothing, and neither does what is missing', async () => {
  const file = path.join(folder, 'elsewhere');
  writeFileSync(file, '/opt/bin/midfill-lsp\n', { mode: 0o600 });
  symlinkSync(file, path.join(folder, 'server-path'));
  expect(await pointedTo(path.join(folder, 'server-path'))).toEqual([]);
  expect(await pointedTo(path.join(folder, 'none'))).toEqual([]);
});
