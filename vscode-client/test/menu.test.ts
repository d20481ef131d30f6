import { expect, test } from 'vitest';
import { menuRows } from '../src/menu';
import { NOWHERE } from '../src/status';
import manifest from '../package.json';

const SCENE = { here: NOWHERE, language: 'python', folder: 'shop', missingModel: undefined };
const known = new Set(manifest.contributes.commands.map(({ command }) => command));

test.each([
  ['as usual', {}, ['toggleTrigger', 'disableLanguage', 'disableFolder']],
  ['without an editor', { language: '', folder: '' }, ['toggleTrigger']],
  ['untitled', { folder: '' }, ['toggleTrigger', 'disableLanguage']],
  ['language off', { here: { ...NOWHERE, languageOff: true } }, ['toggleTrigger', 'enableLanguage', 'disableFolder']],
  ['folder off', { here: { ...NOWHERE, folderOff: true } }, ['toggleTrigger', 'disableLanguage', 'enableFolder']],
  ['no model', { missingModel: 'm' }, ['fetchModel', 'toggleTrigger', 'disableLanguage', 'disableFolder']],
])('the menu %s', (_, change, expected) => {
  const rows = menuRows({ ...SCENE, ...change });
  const rest = ['explainLast', 'restartServer', 'showLog', 'openSettings', 'gettingStarted'];
  expect(rows.map(({ command }) => command)).toEqual([...expected, ...rest].map((name) => `midfill.${name}`));
  expect(rows.filter(({ command }) => !known.has(command))).toEqual([]);
});

test('the first switch names what it would do', () => {
  expect(menuRows(SCENE)[0]?.label).toContain('only when asked');
  expect(menuRows({ ...SCENE, here: { ...NOWHERE, manual: true } })[0]?.label).toContain('while typing');
});
