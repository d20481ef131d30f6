/** The rows of the menu behind the status bar item; no editor. */
import type { Here } from './status';

export interface Row {
  readonly label: string;
  readonly description?: string;
  readonly command: string;
}

/** What the menu has to know. */
export interface Scene {
  readonly here: Here;
  /** Of the active editor; "" where there is none. */
  readonly language: string;
  /** The folder that would be switched off, as the user knows it; "" for none. */
  readonly folder: string;
  /** The model that the server lacks, if it says so. */
  readonly missingModel: string | undefined;
}

export function menuRows(scene: Scene): Row[] {
  return [...repairs(scene), ...switches(scene), ...REST];
}

function repairs({ missingModel }: Scene): Row[] {
  return missingModel
    ? [{ label: '$(cloud-download) Fetch the model', description: missingModel, command: 'midfill.fetchModel' }]
    : [];
}

function switches({ here, language, folder }: Scene): Row[] {
  const rows: Row[] = [
    here.manual
      ? { label: '$(zap) Suggest while typing', command: 'midfill.toggleTrigger' }
      : { label: '$(chevron-right) Suggest only when asked', command: 'midfill.toggleTrigger' },
  ];
  if (language) {
    rows.push(
      here.languageOff
        ? { label: '$(check) Enable for this language', description: language, command: 'midfill.enableLanguage' }
        : { label: '$(circle-slash) Disable for this language', description: language, command: 'midfill.disableLanguage' },
    );
  }
  if (folder) {
    rows.push(
      here.folderOff
        ? { label: '$(check) Enable for this folder', description: folder, command: 'midfill.enableFolder' }
        : { label: '$(circle-slash) Disable for this folder', description: folder, command: 'midfill.disableFolder' },
    );
  }
  return rows;
}

const REST: readonly Row[] = [
  { label: '$(question) Explain the last suggestion', command: 'midfill.explainLast' },
  { label: '$(debug-restart) Restart the server', command: 'midfill.restartServer' },
  { label: '$(output) Show the log', command: 'midfill.showLog' },
  { label: '$(gear) Open the settings', command: 'midfill.openSettings' },
  { label: '$(mortar-board) Getting started', command: 'midfill.gettingStarted' },
];
