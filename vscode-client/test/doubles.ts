/** A program runner that plays a script: what each call says and how it ends. */
import type { Command, Ended, Run } from '../src/processes';

export interface Turn {
  readonly says?: readonly string[];
  readonly status?: number;
  /** What the program leaves behind. */
  readonly does?: () => Promise<unknown>;
}

export interface Played {
  readonly run: Run;
  readonly commands: Command[];
}

export function play(...turns: readonly Turn[]): Played {
  const commands: Command[] = [];
  const run: Run = async (command, onLine, signal): Promise<Ended> => {
    signal.throwIfAborted();
    const { says = [], status = 0, does } = turns[commands.length] ?? {};
    commands.push(command);
    says.forEach(onLine);
    await does?.();
    signal.throwIfAborted();
    return { status, lastLines: says.join('\n') };
  };
  return { run, commands };
}
