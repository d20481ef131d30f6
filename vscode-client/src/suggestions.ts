/** What the server has suggested last, and whether it still stands on the screen; no editor. */

/** A caret in a version of a document; lines and characters as the editor counts them. */
export interface Place {
  readonly uri: string;
  readonly version: number;
  readonly line: number;
  readonly character: number;
}

export interface Suggestion {
  readonly id: string;
  readonly place: Place;
  readonly text: string;
}

/** `midfill/more`: the suggestion with this id has grown to this text. */
export interface More extends Suggestion {
  readonly done: boolean;
}

/** The parts of an inline completion item that matter here; the id is the argument of its command. */
export interface Item {
  readonly insertText: string | { readonly value: string };
  readonly command?: { readonly arguments?: readonly unknown[] } | undefined;
}

/** Undefined: nothing was suggested. */
export function suggestionOf(items: readonly Item[], place: Place): Suggestion | undefined {
  const [first] = items;
  const id = first?.command?.arguments?.[0];
  if (!first || typeof id !== 'string') {
    return undefined;
  }
  return { id, place, text: typeof first.insertText === 'string' ? first.insertText : first.insertText.value };
}

/** Undefined: not such a message. */
export function parseMore(raw: unknown): More | undefined {
  if (typeof raw !== 'object' || raw === null) {
    return undefined;
  }
  const { id, uri, version, line, character, text, done } = raw as Record<string, unknown>;
  if (typeof id !== 'string' || typeof uri !== 'string' || typeof text !== 'string') {
    return undefined;
  }
  if (typeof version !== 'number' || typeof line !== 'number' || typeof character !== 'number') {
    return undefined;
  }
  return { id, place: { uri, version, line, character }, text, done: done === true };
}

/** Whether asking again now would show more of the same suggestion. */
export function hasGrown(more: More, shown: Suggestion | undefined, here: Place | undefined): boolean {
  return (
    shown !== undefined &&
    here !== undefined &&
    more.id === shown.id &&
    more.text.length > shown.text.length &&
    isSame(more.place, shown.place) &&
    isSame(more.place, here)
  );
}

/** Whether it may be what the user sees at `here`; the ghost text stays while it is typed along. */
export function isVisibleAt(shown: Suggestion | undefined, here: Place | undefined): shown is Suggestion {
  return here !== undefined && shown?.place.uri === here.uri && shown.place.line === here.line;
}

/**
 * Where in `line` a suggestion at `caret` should begin to replace: at its first word, but after the last emoji.
 * What is replaced by itself is not shown, but VS Code then keeps the ghost text while typed characters are deleted.
 * It shows nothing at all (1.139) where a character of two UTF-16 units is among them.
 */
export function startOfText(line: string, caret: number): number {
  const indent = line.length - line.trimStart().length;
  const start = Math.max(indent, line.slice(0, caret).search(/[\ud800-\udfff][^\ud800-\udfff]*$/) + 1);
  return Math.min(caret, start);
}

function isSame(one: Place, other: Place): boolean {
  return (
    one.uri === other.uri &&
    one.version === other.version &&
    one.line === other.line &&
    one.character === other.character
  );
}
