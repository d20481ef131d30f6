import { expect, test } from 'vitest';
import { hear, lookOf, NOWHERE, parseStatus, type State, statusHere, toldOf } from '../src/status';

const status = (state: State, reason = '') => ({ state, reason, model: 'm' });

test.each([
  [{ state: 'ready', reason: '', model: 'm' }, status('ready')],
  [{ state: 'ready' }, { state: 'ready', reason: '', model: '' }],
  [{ state: 'error', reason: 3, model: null }, { state: 'error', reason: '', model: '' }],
  [{ state: 'dreaming' }, undefined],
  [{ state: 'toString' }, undefined],
  [{}, undefined],
  [null, undefined],
  ['ready', undefined],
])('%j is parsed', (raw, expected) => {
  expect(parseStatus(raw)).toEqual(expected);
});

test.each([
  ['ready', {}, 'ready'],
  ['ready', { manual: true }, 'manual'],
  ['cached', { manual: true }, 'manual'],
  ['working', { manual: true }, 'working'],
  ['slow', { manual: true }, 'slow'],
  ['ready', { disabled: true, manual: true }, 'off'],
  ['ready', { languageOff: true }, 'off'],
  ['working', { folderOff: true }, 'off'],
  ['ready', { inlineSuggestOff: true }, 'off'],
  ['error', { languageOff: true }, 'error'],
  ['disconnected', { disabled: true }, 'disconnected'],
  ['starting', { manual: true }, 'starting'],
] as const)('%s where the settings say %j is %s', (state, here, expected) => {
  expect(statusHere(status(state), { ...NOWHERE, ...here }).state).toBe(expected);
});

test('off is said of one document only, and of none once anything else is said', () => {
  const ready = { general: status('ready') };
  const off = hear(ready, status('off', 'ignored'), 'file:///a');
  expect(toldOf(off, 'file:///a').state).toBe('off');
  expect(toldOf(off, 'file:///b').state).toBe('ready');
  expect(toldOf(hear(off, status('working'), 'file:///b'), 'file:///a').state).toBe('working');
});

test.each([
  ['ready', 'none'],
  ['error', 'error'],
  ['disconnected', 'warning'],
] as const)('%s has the background %s', (state, background) => {
  expect(lookOf(status(state)).background).toBe(background);
});

test('the look leaves out what is not known', () => {
  expect(lookOf({ state: 'ready', reason: '', model: '' }).label).toBe('Midfill: ready');
  expect(lookOf(status('slow', 'it is slow')).label).toBe('Midfill: slow, m, it is slow');
});
