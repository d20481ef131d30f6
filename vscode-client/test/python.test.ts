import { expect, test } from 'vitest';
import { findPython, noPython } from '../src/python';
import { play, type Turn } from './doubles';

const NEVER = new AbortController().signal;
const there = (path: string) => Promise.resolve(path !== '/missing');

async function check(candidates: string[], turns: Turn[]): Promise<{ found?: string; refused: readonly string[] }> {
  return findPython(candidates, there, play(...turns).run, NEVER);
}

test.each<[string, string[], Turn[], string | undefined]>([
  ['the first', ['/a', '/b'], [{ says: ['3 12'] }], '/a'],
  ['the oldest that will do', ['/a'], [{ says: ['3 11'] }], '/a'],
  ['one after an old one', ['/a', '/b'], [{ says: ['3 10'] }, { says: ['3 13'] }], '/b'],
  ['one after one that is not there', ['/missing', '/b'], [{ says: ['3 13'] }], '/b'],
  ['one after a shim that does not run', ['/a', '/b'], [{ status: 127 }, { says: ['4 0'] }], '/b'],
  ['none', ['/missing'], [], undefined],
])('Python: %s', async (_, candidates, turns, expected) => {
  expect((await check(candidates, turns)).found).toBe(expected);
});

test('the user is told why each was refused', async () => {
  const search = await check(
    ['/old', '/bare', '/broken'],
    [
      { says: ['3 9'] },
      { says: ["ModuleNotFoundError: No module named 'ensurepip'"], status: 1 },
      { says: ['oh'], status: 1 },
    ],
  );
  const told = noPython(search);
  expect(told).toContain('/old is 3.9; /bare lacks the module venv');
  expect(told).toContain('/broken does not run');
  expect(noPython({ refused: [] })).toContain('was not found. Install it');
});
