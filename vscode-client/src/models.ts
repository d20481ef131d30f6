/** Fetches the model that the server says it lacks, by the command-line tool beside it. */
import type { Run } from './processes';
import type { Status } from './status';

export interface Progress {
  readonly step: string;
  readonly percent: number;
}

/** The model that would make this status better, if the server names one. */
export function modelToFetch(status: Status): string | undefined {
  return status.state === 'error' ? /`midfill models pull ([\w.-]+)`/.exec(status.reason)?.[1] : undefined;
}

/** Undefined: a line that says nothing of progress. */
export function parseProgress(line: string): Progress | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null) {
    return undefined;
  }
  const { step, done, total } = raw as Record<string, unknown>;
  if (typeof step !== 'string' || typeof done !== 'number' || typeof total !== 'number' || total <= 0) {
    return undefined;
  }
  return { step, percent: Math.min(100, Math.max(0, Math.floor((100 * done) / total))) };
}

/** Fetches what is missing of a model. Throws an error for the user to read, or the reason of the signal. */
export async function fetchModel(
  tool: string,
  model: string,
  run: Run,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const args = ['models', 'pull', '--if-missing', '--json', model];
  const { status, lastLines } = await run({ program: tool, args }, onLine, signal);
  if (status !== 0) {
    throw new Error(`the model ${model} could not be fetched: ${lastLines || `exit status ${status}`}`);
  }
}
