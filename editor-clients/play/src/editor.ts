/** Monaco: the editor, its look, and what it asks the language client for. */

import type { CanvasView } from './canvas';
import type { Client } from './client';
import * as convert from './convert';
import * as monaco from './monaco';
import type * as lsp from './protocol';
import { RpcError, GONE } from './rpc';
import { type Sample, startLine } from './samples';

const OWNER = 'infill-ls';
const REQUEST_CANCELLED = -32800;

export class Editor {
  readonly monaco: monaco.editor.IStandaloneCodeEditor;
  private provided: monaco.IDisposable | undefined;
  private readonly diagnostics = new Map<string, lsp.Diagnostic[]>();

  constructor(
    parent: HTMLElement,
    private readonly client: Client,
    private readonly canvas: CanvasView,
    private readonly steps: () => number,
    private readonly tell: (message: string) => void,
  ) {
    this.monaco = monaco.editor.create(parent, {
      model: null,
      ariaLabel: 'Code, completed by infill-ls',
      automaticLayout: true,
      fontSize: 13,
      lineNumbersMinChars: 3,
      overviewRulerLanes: 0,
      minimap: { enabled: false },
      scrollBeyondLastLine: false,
      quickSuggestions: false,
      wordBasedSuggestions: 'off',
      suggestOnTriggerCharacters: false,
      inlineSuggest: { enabled: true, showToolbar: 'onHover' },
      padding: { top: 8 },
      fixedOverflowWidgets: true,
    });
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const paint = () => {
      monaco.editor.setTheme(dark.matches ? 'vs-dark' : 'vs');
    };
    dark.addEventListener('change', paint);
    paint();
    this.provide();
    monaco.languages.registerCodeActionProvider('*', {
      provideCodeActions: (model, range, context, token) => this.offer(model, range, context, token),
      resolveCodeAction: (action, token) => this.resolve(action as Offered, token),
    });
    for (const command of ['infill.accepted', 'infill.proofread', 'infill.rewrite', 'infill.fill']) {
      monaco.editor.registerCommand(command, (_, argument: object) => void this.run(command, argument));
    }
  }

  open(sample: Sample): void {
    const uri = monaco.Uri.parse(`untitled:${sample.name}`);
    let model = monaco.editor.getModel(uri);
    if (!model) {
      model = monaco.editor.createModel(sample.text, sample.language, uri);
      model.updateOptions({ insertSpaces: sample.language !== 'go' });
      this.client.open(model, sample.language);
    }
    this.monaco.setModel(model);
    const line = startLine(sample);
    this.monaco.setPosition({ lineNumber: line, column: model.getLineMaxColumn(line) });
    this.monaco.revealLineInCenter(line);
    this.monaco.focus();
  }

  suggest(): void {
    this.monaco.focus();
    this.provide();
    this.monaco.trigger('page', 'editor.action.inlineSuggest.trigger', {});
  }

  /** Runs the first action of a kind that the server offers where the cursor or the selection is. */
  async act(kind: string, otherwise: string): Promise<void> {
    const [model, at] = [this.monaco.getModel(), this.monaco.getSelection()];
    if (!model || !at) return;
    this.monaco.focus();
    await this.tried(async () => {
      const token = new monaco.CancellationTokenSource().token;
      const [action] = await this.client.actions(model, at, [], true, kind, token);
      if (!action) this.tell(otherwise);
      else if (action.command) await this.run(action.command.command, action.command.arguments?.[0] as object);
      else this.apply((await this.client.resolve(action, token)).edit ?? {});
    });
  }

  mark(uri: string, found: lsp.Diagnostic[]): void {
    this.diagnostics.set(uri, found);
    const model = monaco.editor.getModel(monaco.Uri.parse(uri));
    if (model) monaco.editor.setModelMarkers(model, OWNER, found.map(convert.marker));
  }

  apply(edit: lsp.WorkspaceEdit): void {
    for (const model of monaco.editor.getModels()) {
      const edits = convert.edits(edit, model.uri.toString());
      if (!edits.length) continue;
      model.pushStackElement();
      model.pushEditOperations(
        [],
        edits.map((each) => ({ range: convert.toRange(each.range), text: each.newText })),
        () => null,
      );
      model.pushStackElement();
    }
  }

  /** Anew, as Monaco asks the same provider only once for a place, though the server may know more by now. */
  private provide(): void {
    this.provided?.dispose();
    this.provided = monaco.languages.registerInlineCompletionsProvider('*', {
      provideInlineCompletions: (model, at, context, token) => this.complete(model, at, context, token),
      disposeInlineCompletions: () => undefined,
    });
  }

  private async complete(
    model: monaco.editor.ITextModel,
    at: monaco.Position,
    context: monaco.languages.InlineCompletionContext,
    token: monaco.CancellationToken,
  ): Promise<monaco.languages.InlineCompletions> {
    const invoked = context.triggerKind === monaco.languages.InlineCompletionTriggerKind.Explicit;
    const items = await this.tried(() => this.client.complete(model, at, invoked, this.steps(), token));
    if (token.isCancellationRequested || !items) return { items: [] };
    this.show(model, at, items);
    return {
      items: items.map((item) => ({
        insertText: item.insertText,
        ...(item.range ? { range: convert.toRange(item.range) } : {}),
        ...(item.command ? { command: command(item.command) } : {}),
      })),
    };
  }

  private show(model: monaco.editor.ITextModel, at: monaco.IPosition, items: readonly lsp.InlineItem[]): void {
    const [best] = items;
    if (!best) return;
    const range = best.range ? convert.toRange(best.range) : monaco.Range.fromPositions(at);
    const [start, end, text] = [range.getStartPosition(), range.getEndPosition(), model.getValue()];
    const offers = items.map((item) => ({ ...(item.command?.arguments?.[0] as lsp.Accepted), text: item.insertText }));
    this.canvas.offered(offers, {
      uri: model.uri.toString(),
      line: start.lineNumber - 1,
      before: text.slice(0, model.getOffsetAt(start)),
      text: best.insertText,
      after: text.slice(model.getOffsetAt(end)),
      confidence: offers[0]?.confidence ?? 0,
    });
  }

  private async offer(
    model: monaco.editor.ITextModel,
    range: monaco.Range,
    context: monaco.languages.CodeActionContext,
    token: monaco.CancellationToken,
  ): Promise<monaco.languages.CodeActionList> {
    const here = (this.diagnostics.get(model.uri.toString()) ?? []).filter((each) =>
      monaco.Range.areIntersectingOrTouching(convert.toRange(each.range), range),
    );
    const invoked = context.trigger === monaco.languages.CodeActionTriggerType.Invoke;
    const found = await this.tried(() => this.client.actions(model, range, here, invoked, context.only, token));
    const actions = (found ?? []).map((raw): Offered => {
      const at = here.filter((each) => raw.diagnostics?.some((other) => same(each, other)));
      return {
        raw,
        title: raw.title,
        diagnostics: at.map(convert.marker),
        ...(raw.kind ? { kind: raw.kind } : {}),
        ...(raw.command ? { command: command(raw.command) } : {}),
        ...(raw.edit ? { edit: edit(model, raw.edit) } : {}),
      };
    });
    return { actions, dispose: () => undefined };
  }

  private async resolve(action: Offered, token: monaco.CancellationToken): Promise<monaco.languages.CodeAction> {
    const model = this.monaco.getModel();
    const resolved = await this.tried(() => this.client.resolve(action.raw, token));
    return model && resolved?.edit ? { ...action, edit: edit(model, resolved.edit) } : action;
  }

  private async run(name: string, argument: object): Promise<void> {
    let sent = argument;
    if (name === 'infill.rewrite' && !('instruction' in argument)) {
      const instruction = window.prompt('What is to become of the selection?');
      if (!instruction) return;
      sent = { ...argument, instruction };
    }
    const answer = await this.tried(() => this.client.execute(name, sent));
    if (name === 'infill.proofread' && answer) {
      const { found } = answer as { found: number };
      this.tell(
        found
          ? `${found === 1 ? '1 word' : `${found} words`} in doubt: point at one, or press Ctrl+. on it`
          : 'No word is in doubt',
      );
    }
  }

  /** The work's outcome; why it failed is told, and then it is undefined. */
  private async tried<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (fault) {
      const quiet = fault instanceof RpcError && (fault.code === REQUEST_CANCELLED || fault.code === GONE);
      if (!quiet) this.tell(fault instanceof Error ? fault.message : String(fault));
      return undefined;
    }
  }
}

interface Offered extends monaco.languages.CodeAction {
  raw: lsp.CodeAction; // as the server gave it, to be resolved
}

function command({ title, command, arguments: given }: lsp.Command): monaco.languages.Command {
  return { id: command, title, ...(given ? { arguments: given } : {}) };
}

function edit(model: monaco.editor.ITextModel, given: lsp.WorkspaceEdit): monaco.languages.WorkspaceEdit {
  return {
    edits: convert.edits(given, model.uri.toString()).map((each) => ({
      resource: model.uri,
      versionId: model.getVersionId(),
      textEdit: { range: convert.toRange(each.range), text: each.newText },
    })),
  };
}

function same(one: lsp.Diagnostic, other: lsp.Diagnostic): boolean {
  return one.message === other.message && JSON.stringify(one.range) === JSON.stringify(other.range);
}
