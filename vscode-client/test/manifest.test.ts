import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../package.json';
import { DEFAULTS } from '../src/settings';

const { commands, configuration, keybindings, menus, walkthroughs } = manifest.contributes;
const known = new Set(commands.map(({ command }) => command));
const restricted = new Set(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations);
/** What the server registers under its own names; a second registration would fail. */
const OF_SERVER = ['explain', 'status', 'accepted', 'dismissed', 'partlyAccepted'];

test('every setting that is read is there, with the default that is used', () => {
  const properties: Record<string, { default: unknown }> = configuration.properties;
  const given = Object.entries(properties).map(([name, property]) => [name, property.default]);
  const used = Object.entries<unknown>({ ...DEFAULTS }).map(([name, value]) => [`midfill.${name}`, value]);
  expect(Object.fromEntries(given)).toEqual(Object.fromEntries(used));
});

test('programs are chosen for a machine, and no untrusted folder chooses them', () => {
  for (const [name, { scope }] of Object.entries(configuration.properties)) {
    expect([name, scope]).toEqual([name, name.endsWith('Path') ? 'machine' : 'machine-overridable']);
  }
  const open = Object.keys(configuration.properties).filter((name) => !restricted.has(name));
  expect(open).toEqual(['midfill.trigger']);
});

test('every command that is mentioned exists, in the one category', () => {
  const steps = walkthroughs.flatMap((each) => each.steps);
  const linked = steps.flatMap(({ description }) => [...description.matchAll(/command:([\w.]+)/g)].map(([, id]) => id));
  const completed = steps.flatMap((step) => step.completionEvents.map((event) => event.replace('onCommand:', '')));
  const used = [...keybindings, ...menus.commandPalette].map(({ command }) => command);
  expect([...linked, ...completed, ...used].filter((id) => !known.has(id ?? ''))).toEqual([]);
  expect(commands.filter(({ category }) => category !== 'Midfill')).toEqual([]);
  expect(OF_SERVER.filter((name) => known.has(`midfill.${name}`))).toEqual([]);
});

test('keys are taken only while a suggestion is visible', () => {
  expect(keybindings.filter(({ when }) => !when.includes('inlineSuggestionVisible'))).toEqual([]);
  expect(keybindings.filter(({ key }) => key === 'tab')).toEqual([]);
});

test.each(['icon.png', ...walkthroughs.flatMap((each) => each.steps.map(({ media }) => media.markdown))])(
  '%s is there',
  (file) => {
    expect(existsSync(path.join(__dirname, '..', file))).toBe(true);
  },
);

test('the extension has the version of the server', () => {
  const project = readFileSync(path.join(__dirname, '../../pyproject.toml'), 'utf8');
  expect(/^version = "(.*)"$/m.exec(project)?.[1]).toBe(manifest.version);
});
