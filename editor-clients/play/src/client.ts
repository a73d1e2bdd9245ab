/** The language client: one server, which may go and come back, and the documents it is to know. */

import { position, range } from './convert';
import type * as lsp from './protocol';
import { type Cancellable, Rpc } from './rpc';
import type * as monaco from './monaco';

export interface Listener {
  connected(): void;
  lost(reason: string): void;
  status(status: lsp.Status): void;
  draft(draft: lsp.Draft): void;
  refused(refused: lsp.Refused): void;
  progress(message: string | undefined): void; // undefined: the work has ended
  message(text: string): void;
  diagnostics(uri: string, found: lsp.Diagnostic[]): void;
  apply(edit: lsp.WorkspaceEdit): void;
}

const CAPABILITIES = {
  general: { positionEncodings: ['utf-16'] },
  textDocument: {
    inlineCompletion: {},
    codeAction: {
      codeActionLiteralSupport: { codeActionKind: { valueSet: ['quickfix', 'refactor', 'source'] } },
      dataSupport: true,
      resolveSupport: { properties: ['edit'] },
    },
    publishDiagnostics: { dataSupport: true },
    synchronization: {},
  },
  window: { workDoneProgress: true },
  workspace: { applyEdit: true, workspaceEdit: { documentChanges: true } },
  experimental: { infill: { canvas: true, refusals: true, status: true, instructions: true } },
};

export class Client {
  private readonly rpc: Rpc;
  private readonly documents = new Map<string, { model: monaco.editor.ITextModel; language: string }>();
  private ready = false;

  constructor(
    url: string,
    private settings: Record<string, unknown>,
    private readonly listener: Listener,
  ) {
    this.rpc = new Rpc(url, {
      opened: () => void this.initialize(),
      lost: (reason) => {
        this.ready = false;
        listener.lost(reason);
      },
      notified: (method, params) => {
        this.notified(method, params);
      },
      asked: (method, params) => this.asked(method, params),
    });
  }

  open(model: monaco.editor.ITextModel, language: string): void {
    this.documents.set(model.uri.toString(), { model, language });
    if (this.ready) this.tellOpen(model, language);
    model.onDidChangeContent((change) => {
      if (!this.ready) return; // it is told the whole text when it is back
      this.rpc.notify('textDocument/didChange', {
        textDocument: { uri: model.uri.toString(), version: model.getVersionId() },
        contentChanges: change.changes.map((each) => ({ range: range(each.range), text: each.text })),
      });
    });
  }

  configure(settings: Record<string, unknown>): void {
    this.settings = settings;
    if (this.ready) this.rpc.notify('workspace/didChangeConfiguration', { settings: { infill: settings } });
  }

  async complete(
    model: monaco.editor.ITextModel,
    at: monaco.IPosition,
    invoked: boolean,
    steps: number,
    token: Cancellable,
  ): Promise<lsp.InlineItem[]> {
    const params = { ...document(model), position: position(at), context: { triggerKind: invoked ? 1 : 2 }, steps };
    const answer = await this.rpc.request<{ items: lsp.InlineItem[] } | null>('infill/inlineCompletion', params, token);
    return answer?.items ?? [];
  }

  async actions(
    model: monaco.editor.ITextModel,
    at: monaco.IRange,
    diagnostics: lsp.Diagnostic[],
    invoked: boolean,
    only: string | undefined,
    token: Cancellable,
  ): Promise<lsp.CodeAction[]> {
    const context = { diagnostics, triggerKind: invoked ? 1 : 2, ...(only ? { only: [only] } : {}) };
    const params = { ...document(model), range: range(at), context };
    return (await this.rpc.request<lsp.CodeAction[] | null>('textDocument/codeAction', params, token)) ?? [];
  }

  resolve(action: lsp.CodeAction, token: Cancellable): Promise<lsp.CodeAction> {
    return this.rpc.request('codeAction/resolve', action, token);
  }

  execute(command: string, argument?: unknown): Promise<unknown> {
    return this.rpc.request('workspace/executeCommand', {
      command,
      arguments: argument === undefined ? [] : [argument],
      workDoneToken: `play-${Date.now()}`,
    });
  }

  private async initialize(): Promise<void> {
    try {
      await this.rpc.request('initialize', {
        processId: null,
        clientInfo: { name: 'infill-ls play' },
        rootUri: null,
        capabilities: CAPABILITIES,
        // What is set here was set by the person before the page: no file of a project has a say.
        initializationOptions: { trusted: true },
      });
    } catch {
      return; // the connection broke, and is made anew
    }
    this.rpc.notify('initialized', {});
    this.ready = true;
    this.configure(this.settings);
    for (const each of this.documents.values()) this.tellOpen(each.model, each.language);
    this.listener.connected();
  }

  private tellOpen(model: monaco.editor.ITextModel, languageId: string): void {
    this.rpc.notify('textDocument/didOpen', {
      textDocument: { uri: model.uri.toString(), languageId, version: model.getVersionId(), text: model.getValue() },
    });
  }

  private notified(method: string, params: unknown): void {
    const { listener } = this;
    if (method === 'infill/draft') listener.draft(params as lsp.Draft);
    else if (method === 'infill/refused') listener.refused(params as lsp.Refused);
    else if (method === 'infill/status') listener.status(params as lsp.Status);
    else if (method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = params as { uri: string; diagnostics: lsp.Diagnostic[] };
      listener.diagnostics(uri, diagnostics);
    } else if (method === 'window/showMessage') {
      listener.message((params as { message: string }).message);
    } else if (method === '$/progress') {
      const { value } = params as { value: { kind: string; title?: string; message?: string } };
      listener.progress(value.kind === 'end' ? undefined : [value.title, value.message].filter(Boolean).join(': '));
    }
  }

  private asked(method: string, params: unknown): unknown {
    if (method !== 'workspace/applyEdit') return null;
    this.listener.apply((params as { edit: lsp.WorkspaceEdit }).edit);
    return { applied: true };
  }
}

function document(model: monaco.editor.ITextModel) {
  return { textDocument: { uri: model.uri.toString() } };
}
