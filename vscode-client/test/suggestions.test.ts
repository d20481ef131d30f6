import { expect, test } from 'vitest';
import { hasGrown, isVisibleAt, parseMore, type Place, startOfText, suggestionOf } from '../src/suggestions';

const PLACE: Place = { uri: 'file:///a.py', version: 3, line: 1, character: 7 };
const SHOWN = { id: 'x1', place: PLACE, text: '(n):' };
const RAW = { id: 'x1', uri: 'file:///a.py', version: 3, line: 1, character: 7, text: '(n):\n    pass', done: true };

test.each([
  [[], undefined],
  [[{ insertText: 'a' }], undefined],
  [[{ insertText: 'a', command: { arguments: [7] } }], undefined],
  [[{ insertText: '(n):', command: { arguments: ['x1'] } }], SHOWN],
  [[{ insertText: { value: '(n):' }, command: { arguments: ['x1'] } }], SHOWN],
])('the suggestion of %j', (items, expected) => {
  expect(suggestionOf(items, PLACE)).toEqual(expected);
});

test.each([
  ['all there', {}, true],
  ['another suggestion', { id: 'x2' }, false],
  ['another document', { uri: 'file:///b.py' }, false],
  ['an older version', { version: 2 }, false],
  ['another line', { line: 2 }, false],
  ['another place in the line', { character: 8 }, false],
  ['no growth', { text: '(n):' }, false],
  ['no id', { id: undefined }, false],
  ['a version that is a text', { version: '3' }, false],
  ['no text', { text: null }, false],
])('a suggestion grows: %s', (_, change, expected) => {
  const more = parseMore({ ...RAW, ...change });
  expect(more !== undefined && hasGrown(more, SHOWN, PLACE)).toBe(expected);
});

test.each([[null], ['more'], [[]], [{}]])('%j is no message about growth', (raw) => {
  expect(parseMore(raw)).toBeUndefined();
});

test('nothing grows where nothing is shown, or the caret has gone on', () => {
  const more = parseMore(RAW);
  expect(more && hasGrown(more, undefined, PLACE)).toBe(false);
  expect(more && hasGrown(more, SHOWN, undefined)).toBe(false);
  expect(more && hasGrown(more, SHOWN, { ...PLACE, version: 4, character: 8 })).toBe(false);
});

test.each([
  ['typed along', { version: 5, character: 9 }, true],
  ['another line', { line: 2 }, false],
  ['another document', { uri: 'file:///b.py' }, false],
])('it is visible: %s', (_, change, expected) => {
  expect(isVisibleAt(SHOWN, { ...PLACE, ...change })).toBe(expected);
  expect(isVisibleAt(undefined, { ...PLACE, ...change })).toBe(false);
});

test.each([
  ['    return x', 12, 4],
  ['x', 1, 0],
  ['        ', 8, 8],
  ['        x', 4, 4],
  ['', 0, 0],
  ["print('🎉', x", 13, 9],
  ["print(x) # 🎉", 7, 0],
  ['🎉🎉', 4, 4],
  ["grüße = '日", 10, 0],
])('%j with the caret at %d is replaced from %d', (line, caret, expected) => {
  expect(startOfText(line, caret)).toBe(expected);
});
