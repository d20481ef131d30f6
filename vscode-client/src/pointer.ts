/** The file in which `midfill setup` names the server of its own installation. */
import { lstat, readFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';

/** The environment variables that move Midfill's data folder. */
export type Environment = Readonly<Record<string, string | undefined>>;

const NAME = 'server-path';
const LIMIT_BYTES = 4096;
const OPEN_TO_OTHERS = 0o077;

/** Where it is, by the rules of `midfill_daemon/paths.py`. */
export function pointerFile(platform: NodeJS.Platform, home: string, environment: Environment): string {
  return path.join(dataFolder(platform, home, environment), NAME);
}

function dataFolder(platform: NodeJS.Platform, home: string, environment: Environment): string {
  if (environment.MIDFILL_HOME) {
    return path.join(environment.MIDFILL_HOME, 'data');
  }
  if (platform === 'win32') {
    return path.join(environment.LOCALAPPDATA ?? path.join(home, 'AppData', 'Local'), 'midfill');
  }
  if (platform === 'darwin') {
    return path.join(home, 'Library', 'Application Support', 'midfill');
  }
  const shared = environment.XDG_DATA_HOME;
  return path.join(shared && path.isAbsolute(shared) ? shared : path.join(home, '.local', 'share'), 'midfill');
}

/** The path it names; none when it is missing, too long, or could have been written by somebody else. */
export async function pointedTo(file: string): Promise<string[]> {
  try {
    const found = await lstat(file);
    const ours = process.platform === 'win32' || (found.uid === os.userInfo().uid && !(found.mode & OPEN_TO_OTHERS));
    if (!found.isFile() || found.size > LIMIT_BYTES || !ours) {
      return [];
    }
    const named = (await readFile(file, 'utf8')).trim();
    return path.isAbsolute(named) ? [named] : [];
  } catch {
    return []; // not there, or not ours to read: the next place is looked at
  }
}
