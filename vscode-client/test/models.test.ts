import { expect, test } from 'vitest';
import { fetchModel, modelToFetch, parseProgress } from '../src/models';
import type { State } from '../src/status';
import { play } from './doubles';

const NEVER = new AbortController().signal;

test.each<[State, string, string | undefined]>([
  ['error', 'no model yet: run `midfill models pull smollm2-135m`', 'smollm2-135m'],
  ['error', 'the model smollm2-135m is damaged: run `midfill models pull smollm2-135m`', 'smollm2-135m'],
  ['error', 'Ollama has no models: `ollama pull` one', undefined],
  ['error', 'run `midfill models pull --file=/etc/passwd`', undefined],
  ['ready', 'run `midfill models pull smollm2-135m`', undefined],
])('%s, %s: %s is fetched', (state, reason, expected) => {
  expect(modelToFetch({ state, reason, model: '' })).toBe(expected);
});

test.each([
  ['{"step": "download x", "done": 50, "total": 200}', { step: 'download x', percent: 25 }],
  ['{"step": "download x", "done": 300, "total": 200}', { step: 'download x', percent: 100 }],
  ['{"step": "download x", "done": 1, "total": 0}', undefined],
  ['{"step": 1, "done": 1, "total": 2}', undefined],
  ['smollm2-135m: there', undefined],
  ['null', undefined],
  ['', undefined],
])('the line %s', (line, expected) => {
  expect(parseProgress(line)).toEqual(expected);
});

test('a failure tells what the tool said', async () => {
  const { run, commands } = play({ says: ['midfill: pip found no answer in time; is there a network?'], status: 1 });
  const fetching = fetchModel('/v/bin/midfill', 'm', run, () => undefined, NEVER);
  await expect(fetching).rejects.toThrow('the model m could not be fetched: midfill: pip found no answer');
  expect(commands).toEqual([{ program: '/v/bin/midfill', args: ['models', 'pull', '--if-missing', '--json', 'm'] }]);
});
