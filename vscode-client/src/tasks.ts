/** Long work in one cancellable notification. */
import * as vscode from 'vscode';

/** Shows a line, and how much is done where that is known. */
export type Report = (message: string, percent?: number) => void;

/** The same cancellation for those who know the editor's token and those who know the platform's signal. */
export interface Cancellation {
  readonly token: vscode.CancellationToken;
  readonly signal: AbortSignal;
}

/**
 * Runs `work` until it ends or the user cancels; undefined when it was cancelled.
 * What it throws otherwise goes to the caller. `outer` cancels it from outside.
 */
export async function runTask<T>(
  title: string,
  work: (report: Report, cancellation: Cancellation) => Promise<T>,
  outer?: AbortSignal,
): Promise<T | undefined> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    const ending = new AbortController();
    token.onCancellationRequested(() => {
      ending.abort();
    });
    const signal = outer ? AbortSignal.any([ending.signal, outer]) : ending.signal;
    let shown = 0;
    const report: Report = (message, percent) => {
      // The editor wants steps, and starts anew with each notification only.
      progress.report(percent === undefined ? { message } : { message, increment: Math.max(0, percent - shown) });
      shown = Math.max(shown, percent ?? 0);
    };
    try {
      return await work(report, { token, signal });
    } catch (error) {
      if (signal.aborted) {
        return undefined;
      }
      throw error;
    }
  });
}
