/** Finds a Python that an environment for the server can be made with. */
import type { Run } from './processes';

const OLDEST = [3, 11] as const;
const QUESTION = 'import sys, venv, ensurepip; print(*sys.version_info[:2])';

export interface Search {
  readonly found?: string;
  /** Why each candidate before it was not taken. */
  readonly refused: readonly string[];
}

/** Asks each candidate in turn; those that are not there are passed over in silence. */
export async function findPython(
  candidates: readonly string[],
  isProgram: (path: string) => Promise<boolean>,
  run: Run,
  signal: AbortSignal,
): Promise<Search> {
  const refused: string[] = [];
  for (const candidate of candidates) {
    if (await isProgram(candidate)) {
      const problem = await problemOf(candidate, run, signal);
      if (problem === undefined) {
        return { found: candidate, refused };
      }
      refused.push(`${candidate} ${problem}`);
    }
  }
  return { refused };
}

/** What to tell the user when no candidate would do. */
export function noPython({ refused }: Search): string {
  const why = refused.length ? ` (${refused.join('; ')})` : '';
  return `Python 3.11 or newer was not found${why}. Install it, or name one in the setting midfill.pythonPath.`;
}

async function problemOf(candidate: string, run: Run, signal: AbortSignal): Promise<string | undefined> {
  const said: string[] = [];
  // -I: neither the folder nor PYTHON* variables may change what is imported.
  const command = { program: candidate, args: ['-I', '-c', QUESTION] };
  const { status } = await run(command, (line) => said.push(line), signal);
  if (said.some((line) => /No module named '?(venv|ensurepip)/.test(line))) {
    return 'lacks the module venv (on Debian and Ubuntu: apt install python3-venv)';
  }
  const version = /^(\d+) (\d+)$/.exec(said.at(-1) ?? '');
  if (status !== 0 || !version) {
    return 'does not run';
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]) ? undefined : `is ${major}.${minor}`;
}
