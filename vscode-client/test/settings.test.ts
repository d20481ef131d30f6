import { expect, test } from 'vitest';
import { DEFAULTS, foldersAround, parseSettings, serverOptions, withEntry } from '../src/settings';

const read = (values: Record<string, unknown>) => parseSettings((key) => values[key]);

test.each([
  ['nothing is set', {}, {}],
  ['all is well', { enabled: false, trigger: 'manual' }, { enabled: false, trigger: 'manual' }],
  ['a flag that is a text', { enabled: 'no', telemetry: 0 }, {}],
  ['a list with other things in it', { disabledLanguages: ['go', 3, null] }, { disabledLanguages: ['go'] }],
  ['a list that is none', { disabledFolders: 'all' }, {}],
  ['blanks around a path', { serverPath: ' /opt/midfill-lsp ' }, { serverPath: '/opt/midfill-lsp' }],
  ['options that are a list', { advanced: ['maxTokens'] }, {}],
  ['options', { advanced: { maxTokens: 9 } }, { advanced: { maxTokens: 9 } }],
])('settings: %s', (_, values, expected) => {
  expect(read(values)).toEqual({ ...DEFAULTS, ...expected });
});

test('the server is told all that it knows, and nothing that it must not be told', () => {
  const told = serverOptions(read({ advanced: { maxTokens: 9, streaming: 'live' }, serverPath: '/x', pythonPath: '/y' }));
  expect(told).toEqual({
    clientWaitMs: 50,
    streaming: 'once',
    enabled: true,
    trigger: 'automatic',
    disabledLanguages: [],
    disabledFolders: [],
    telemetry: true,
    maxTokens: 9,
  });
});

test.each([
  [[], 'go', true, ['go']],
  [['go'], 'go', true, ['go']],
  [['go', 'c'], 'go', false, ['c']],
  [['c'], 'go', false, ['c']],
])('%j with %s %s', (list, entry, wanted, expected) => {
  expect(withEntry(list, entry, wanted)).toEqual(expected);
});

test.each([
  [['/a/b'], '/a/b/c.py', '/', ['/a/b']],
  [['/a/b/'], '/a/b/c/d.py', '/', ['/a/b/']],
  [['/a/b', '/a'], '/a/b/c.py', '/', ['/a/b', '/a']],
  [['/a/b'], '/a/bc/d.py', '/', []],
  [['c:\\work'], 'c:\\work\\a.py', '\\', ['c:\\work']],
])('folders %j around %s', (folders, file, separator, expected) => {
  expect(foldersAround(folders, file, separator)).toEqual(expected);
});
