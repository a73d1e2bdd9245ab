/** The language client: how it is set up, and what it answers and is told beyond the standard. */

import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import {
  type CancellationToken,
  CloseAction,
  CodeActionResolveRequest,
  ErrorAction,
  type ErrorHandler,
  ExecuteCommandRequest,
  LanguageClient,
  type LanguageClientOptions,
  LSPErrorCodes,
  type Range,
  ResponseError,
  State,
  type StaticFeature,
  WorkDoneProgress,
  type WorkDoneProgressReport,
} from 'vscode-languageclient/node';
import type { Launch } from './discovery';
import type { WorkspaceEdit } from './edits';
import { DRAFT, type Draft, REFUSED, type Refused, STATUS, type Status } from './protocol';
import { sent } from './settings';

export interface Listener {
  status(status: Status): void;
  draft(draft: Draft): void;
  /** The program has ended before it could be spoken to. */
  endedEarly(): void;
  /** Why an inline completion was answered with nothing. */
  refused(refused: Refused): void;
  /** An inline completion has been answered, with so many suggestions. */
  answered(count: number): void;
  /** Whether the edit of an action that was chosen from the light bulb is to be looked at first. */
  wantsPreview(edit: WorkspaceEdit): boolean;
  /** An action of the server's that is a command: the client asks for an instruction, or says what came of it. */
  chosen(command: 'infill.rewrite' | 'infill.proofread', place: { uri: string; range: vscode.Range }): void;
}

/** Logs what goes wrong before the server runs, and shows nothing: who starts it says what is the matter. */
class Quiet extends LanguageClient {
  ran = false;

  override error(message: string, data?: unknown, show?: boolean | 'force'): void {
    super.error(message, data, this.ran ? show : false);
  }
}

/** Not started yet. `folder` is where the server runs, `restricted` what only a trusted workspace may set. */
export function create(
  launch: Launch,
  folder: string,
  log: vscode.LogOutputChannel,
  restricted: ReadonlySet<string>,
  drafts: boolean,
  listener: Listener,
): LanguageClient {
  const settings = (scope?: string) =>
    vscode.workspace.getConfiguration('infill', scope ? vscode.Uri.parse(scope) : undefined);
  const options: LanguageClientOptions = {
    // Of any language: which of them get suggestions is the server's business, and may change while it runs.
    documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }, { notebook: '*', language: '*' }],
    // Before it runs, what is wrong is said by who starts it; later a server that ends is started anew.
    initializationFailedHandler: () => false,
    errorHandler: {
      error: (fault, message, count) =>
        client.ran ? usual().error(fault, message, count) : { action: ErrorAction.Continue, handled: true },
      closed: () => {
        if (client.ran) return usual().closed();
        listener.endedEarly();
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
    // Where what is sent comes from is settings.ts's business: it may be vouched for.
    initializationOptions: { trusted: true },
    outputChannel: log,
    // What comes of an action is said by this client, not by a failed request.
    middleware: {
      workspace: {
        configuration: (params, token, next) =>
          params.items.map((item) =>
            item.section === 'infill'
              ? sent((name) => settings(item.scopeUri).inspect(name), vscode.workspace.isTrusted, restricted)
              : (next({ items: [item] }, token) as unknown[])[0],
          ),
      },
      provideInlineCompletionItems: async (document, position, context, token, next) => {
        let count = 0;
        try {
          const found = await next(document, position, context, token);
          count = Array.isArray(found) ? found.length : (found?.items.length ?? 0);
          return found;
        } finally {
          if (!token.isCancellationRequested) listener.answered(count);
        }
      },
      resolveCodeAction: async (action, token) => {
        const asked = client.code2ProtocolConverter.asCodeActionSync(action);
        const told = await tell(() => client.sendRequest(CodeActionResolveRequest.type, asked, token));
        if (!told) return action;
        // What is done on save cannot wait for a decision.
        if (!told.edit || told.kind?.startsWith('source.') || !listener.wantsPreview(told.edit as WorkspaceEdit)) {
          return client.protocol2CodeConverter.asCodeAction(told, token);
        }
        const { edit, ...rest } = told;
        const shown = await client.protocol2CodeConverter.asCodeAction(rest, token);
        shown.command = { title: told.title, command: 'infill.previewEdit', arguments: [edit, told.title] };
        return shown;
      },
      executeCommand: async (command, args, next) => {
        const argument = (args as unknown[])[0] as { uri: string; range: Range; instruction?: string } | undefined;
        if (argument && (command === 'infill.proofread' || (command === 'infill.rewrite' && !argument.instruction))) {
          listener.chosen(command, { uri: argument.uri, range: client.protocol2CodeConverter.asRange(argument.range) });
          return undefined;
        }
        return tell(() => Promise.resolve(next(command, args) as unknown));
      },
    },
  };
  let handler: ErrorHandler | undefined;
  const usual = () => (handler ??= client.createDefaultErrorHandler());
  const server = { command: launch.command, args: launch.args, options: { cwd: folder } };
  const client = new Quiet('infill', 'infill-ls', server, options);
  client.registerFeature(declares({ infill: { drafts, status: true, refusals: true, log: true, instructions: true } }));
  client.onDidChangeState(({ newState }) => {
    client.ran ||= newState === State.Running;
  });
  client.onNotification(STATUS, (status: Status) => {
    listener.status(status);
  });
  client.onNotification(REFUSED, (refused: Refused) => {
    listener.refused({ ...refused, uri: vscode.Uri.parse(refused.uri).toString() });
  });
  client.onNotification(DRAFT, (draft: Draft) => {
    listener.draft(draft);
  });
  return client;
}

/** A command's answer, while its progress is shown with a button that cancels; undefined if it came to nothing. */
export function command<T>(
  client: LanguageClient,
  name: string,
  argument: unknown,
  title: string,
): Promise<T | undefined> {
  const shown = { location: vscode.ProgressLocation.Notification, title: `Infill: ${title}`, cancellable: true };
  return tell(async () =>
    vscode.window.withProgress(shown, async (progress, token: CancellationToken) => {
      const workDoneToken = randomUUID();
      const listening = client.onProgress(WorkDoneProgress.type, workDoneToken, (step) => {
        const { message } = step as WorkDoneProgressReport;
        if (message) progress.report({ message });
      });
      try {
        const params = { command: name, arguments: [argument], workDoneToken };
        return (await client.sendRequest(ExecuteCommandRequest.type, params, token)) as T;
      } finally {
        listening.dispose();
      }
    }),
  );
}

/** The work's outcome; its failure is shown in the server's own words, and then it is undefined. */
async function tell<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (fault) {
    const cancelled = fault instanceof ResponseError && fault.code === LSPErrorCodes.RequestCancelled;
    if (!cancelled && !(fault instanceof vscode.CancellationError)) {
      void warn(fault instanceof Error ? fault.message : String(fault));
    }
    return undefined;
  }
}

/** With a button, as VS Code cuts a message without one to a line. */
async function warn(message: string): Promise<void> {
  const answer = await vscode.window.showWarningMessage(`infill-ls: ${message}`, 'Show Log');
  if (answer) await vscode.commands.executeCommand('infill.showLog');
}

function declares(experimental: object): StaticFeature {
  return {
    fillClientCapabilities: (capabilities) => {
      capabilities.experimental = { ...(capabilities.experimental as object | undefined), ...experimental };
    },
    initialize: () => undefined,
    getState: () => ({ kind: 'static' }),
    clear: () => undefined,
  };
}
