/** The library's language client, quiet: one failure is one message of ours, not a pop-up for each of its steps. */
import {
  CloseAction,
  type CloseHandlerResult,
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  type ServerOptions,
} from 'vscode-languageclient/node';

export class Connection extends LanguageClient {
  constructor(
    id: string,
    server: ServerOptions,
    options: LanguageClientOptions,
    private readonly gaveUp: (reason: string) => void,
  ) {
    super(id, 'Midfill', server, options);
  }

  override error(text: string, data?: unknown): void {
    super.error(text, data, false);
  }

  /** The library calls this once, from its constructor. */
  override createDefaultErrorHandler(maxRestartCount?: number): ErrorHandler {
    const usual = super.createDefaultErrorHandler(maxRestartCount);
    return {
      error: (error, message, count) => usual.error(error, message, count),
      closed: () => this.onClosed(usual),
    };
  }

  private async onClosed(usual: ErrorHandler): Promise<CloseHandlerResult> {
    // A program that ended before its first answer is not our server: `start` fails, and more attempts would too.
    if (!this.initializeResult) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    const result = await usual.closed();
    if (result.action === CloseAction.DoNotRestart) {
      this.gaveUp(result.message ?? 'the language server has stopped');
    }
    return result;
  }
}
