/**
 * The next edit: where it is, what it changes, and the two keys that go there and make it. Drawn with decorations,
 * as VS Code has nothing for it that an extension may use.
 */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { inOneLine } from './drawn';
import { type NextEdit, NEXT_EDIT } from './protocol';
import { changes } from './wordDiff';

/** After the last key, so that somebody who types on is not asked for. */
const WAIT_MS = 150;
/** The context key that the keys in package.json look at: '', 'jump' or 'apply'. */
const KEY = 'infill.nextEdit';

interface Shown {
  editor: vscode.TextEditor;
  version: number;
  range: vscode.Range;
  edit: NextEdit;
}

export class NextEdits implements vscode.Disposable {
  private readonly mark: vscode.TextEditorDecorationType;
  private readonly removed = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
    textDecoration: 'line-through',
  });
  private readonly added = vscode.window.createTextEditorDecorationType({});
  private readonly far = vscode.window.createTextEditorDecorationType({});
  private readonly registered: vscode.Disposable[];
  private shown: Shown | undefined;
  private waiting: NodeJS.Timeout | undefined;
  private asking: vscode.CancellationTokenSource | undefined;

  /** `running` gives the client, if there is one; `icon` is what marks the line. */
  constructor(
    private readonly running: () => LanguageClient | undefined,
    icon: string,
  ) {
    this.mark = vscode.window.createTextEditorDecorationType({
      gutterIconPath: icon,
      gutterIconSize: 'contain',
      overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.infoForeground'),
      isWholeLine: true,
    });
    this.registered = [
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges, reason }) => {
        if (!contentChanges.length || document !== vscode.window.activeTextEditor?.document) return;
        this.clear();
        if (reason === undefined) this.soon(); // who takes an edit back wants no other one
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.clear();
      }),
      vscode.window.onDidChangeTextEditorSelection(() => {
        this.draw();
      }),
      vscode.window.onDidChangeTextEditorVisibleRanges(() => {
        this.draw();
      }),
    ];
  }

  /** To the line of the change; it may be out of sight. */
  jump(): void {
    if (!this.shown) return;
    const { editor, range } = this.shown;
    editor.selection = new vscode.Selection(range.start, range.start);
    editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  /** Make the change; then the next one is looked for, as after any. */
  async apply(): Promise<void> {
    if (!this.shown || this.shown.version !== this.shown.editor.document.version) return;
    const { editor, range, edit } = this.shown;
    const text = inLinesOf(editor.document, edit.text);
    this.clear();
    const made = await editor.edit((builder) => {
      builder.replace(range, text);
    });
    if (!made) return;
    const end = editor.document.positionAt(editor.document.offsetAt(range.start) + text.length);
    editor.selection = new vscode.Selection(end, end);
    await this.tell(edit.command.command, edit);
  }

  /** The server is told, so that it does not offer the same again. */
  async dismiss(): Promise<void> {
    const { shown } = this;
    this.clear();
    if (shown) await this.tell('infill.dismissed', shown.edit);
  }

  dispose(): void {
    this.clear();
    for (const each of [this.mark, this.removed, this.added, this.far, ...this.registered]) each.dispose();
  }

  private soon(): void {
    this.waiting = setTimeout(() => void this.ask(), WAIT_MS);
  }

  private async ask(): Promise<void> {
    const client = this.running();
    const editor = vscode.window.activeTextEditor;
    if (!client?.isRunning() || !editor) return;
    const { document } = editor;
    if (!vscode.workspace.getConfiguration('infill', document).get<boolean>('nextEdit.enabled', true)) return;
    const { version } = document;
    const asking = (this.asking = new vscode.CancellationTokenSource());
    const params = {
      textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri), version },
      position: client.code2ProtocolConverter.asPosition(editor.selection.active),
      context: { diagnostics: errorsIn(document, client) },
    };
    const answer = await client
      .sendRequest<{ edits: NextEdit[] }>(NEXT_EDIT, params, asking.token)
      .catch(() => undefined); // cancelled, or a server that knows none
    const [edit] = answer?.edits ?? [];
    if (!edit || asking.token.isCancellationRequested || document.version !== version) return;
    if (edit.textDocument.uri !== params.textDocument.uri) return;
    this.shown = { editor, version, range: client.protocol2CodeConverter.asRange(edit.range), edit };
    this.draw();
  }

  private clear(): void {
    clearTimeout(this.waiting);
    this.asking?.cancel();
    this.asking = undefined;
    const { shown } = this;
    if (!shown) return;
    this.shown = undefined;
    for (const look of [this.mark, this.removed, this.added, this.far]) shown.editor.setDecorations(look, []);
    void vscode.commands.executeCommand('setContext', KEY, '');
  }

  private draw(): void {
    if (!this.shown) return;
    const { editor, range, edit } = this.shown;
    const { document, selection, visibleRanges } = editor;
    const start = document.offsetAt(range.start);
    const place = ({ start: from, end }: { start: number; end: number }) =>
      new vscode.Range(document.positionAt(start + from), document.positionAt(start + end));
    const words = changes(document.getText(range), inLinesOf(document, edit.text));
    editor.setDecorations(this.mark, [new vscode.Range(range.start, range.start)]);
    editor.setDecorations(this.removed, words.filter(({ start: from, end }) => from < end).map(place));
    editor.setDecorations(
      this.added,
      words.filter(({ text }) => text).map((word) => behind(place({ start: word.end, end: word.end }), word.text)),
    );
    const here = selection.active.line >= range.start.line && selection.active.line <= range.end.line;
    const seen = visibleRanges.some((visible) => visible.contains(range.start));
    const line = document.lineAt(selection.active.line).range.end;
    const note = `\u2003⇥ line ${range.start.line + 1}: ${edit.text}`;
    editor.setDecorations(this.far, seen ? [] : [behind(new vscode.Range(line, line), note, FAINT)]);
    void vscode.commands.executeCommand('setContext', KEY, here ? 'apply' : 'jump');
  }

  private async tell(command: string, edit: NextEdit): Promise<void> {
    const params = { command, arguments: edit.command.arguments };
    await this.running()
      ?.sendRequest('workspace/executeCommand', params)
      .catch(() => undefined);
  }
}

/** What is wrong in a document, whoever found it: an edit may have brought it about. */
function errorsIn(document: vscode.TextDocument, client: LanguageClient): { range: unknown; message: string }[] {
  return vscode.languages
    .getDiagnostics(document.uri)
    .filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error)
    .map(({ range, message }) => ({ range: client.code2ProtocolConverter.asRange(range), message }));
}

const FAINT = { color: new vscode.ThemeColor('editorGhostText.foreground'), fontStyle: 'italic' };
const NEW = { backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground') };

function behind(range: vscode.Range, text: string, look: object = NEW): vscode.DecorationOptions {
  return { range, renderOptions: { after: { contentText: inOneLine(text), ...look } } };
}

/** A text with the document's line ends. */
function inLinesOf(document: vscode.TextDocument, text: string): string {
  return text.replace(/\r?\n/g, document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n');
}
