import { expect, test } from 'vitest';
import { pythonCandidates, serverCandidates, toolBeside } from '../src/programs';

const MACHINE = { platform: 'linux', home: '/home/me', searchPath: '/usr/bin:bin:/opt/bin:' } as const;

test.each([
  ['', ['/usr/bin/midfill-lsp', '/opt/bin/midfill-lsp']],
  ['/srv/midfill-lsp', ['/srv/midfill-lsp']],
  ['~/bin/midfill-lsp', ['/home/me/bin/midfill-lsp']],
  ['bin/midfill-lsp', []],
  ['midfill-lsp', []],
])('with the setting %j the server may be %j', (setting, expected) => {
  expect(serverCandidates(setting, MACHINE)).toEqual(expected);
});

test('the Pythons of a folder come by name first, and never from the opened folder', () => {
  const found = pythonCandidates('', MACHINE);
  expect(found.slice(0, 2)).toEqual(['/usr/bin/python3.12', '/opt/bin/python3.12']);
  expect(found.at(-1)).toBe('/opt/bin/python');
  expect(found.filter((each) => !each.startsWith('/'))).toEqual([]);
  expect(pythonCandidates('/opt/python', MACHINE)).toEqual(['/opt/python']);
});

test.each([
  ['/v/bin/midfill-lsp', '/v/bin/midfill'],
  ['/v/Scripts/midfill-lsp.exe', '/v/Scripts/midfill.exe'],
])('beside %s is %s', (server, expected) => {
  expect(toolBeside(server)).toBe(expected);
});
