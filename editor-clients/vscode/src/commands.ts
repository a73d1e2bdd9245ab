/** What the user can have done to a file: from the editor and its selection to a change of the text. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { command } from './client';
import { ofDocument, type WorkspaceEdit } from './edits';
import { askInstruction } from './instruction';
import type { Previews } from './preview';
import { KIND } from './protocol';

/** Where the server's own action is to be done, instead of at the selection. */
export interface Place {
  uri: string;
  range: vscode.Range;
}

export class Commands {
  /** `client` gives the running client, or has said why there is none. */
  constructor(
    private readonly client: () => Promise<LanguageClient | undefined>,
    private readonly previews: Previews,
    private readonly kept: vscode.Memento,
  ) {}

  async rewriteSelection(place?: Place): Promise<void> {
    const editor = place ? await shown(place.uri) : active();
    if (!editor) return;
    const range = editor.document.validateRange(place?.range ?? wholeLines(editor.selection));
    const instruction = await askInstruction(this.kept);
    if (!instruction) return;
    await this.change(editor.document, 'infill.rewrite', { range, instruction }, 'rewrite');
  }

  async fillHole(): Promise<void> {
    const editor = active();
    if (editor) await this.change(editor.document, 'infill.fill', { range: editor.selection }, 'fill hole');
  }

  async fillAll(): Promise<void> {
    const editor = active();
    if (editor) await this.change(editor.document, 'infill.fill', {}, 'fill all holes');
  }

  async writeDocstring(): Promise<void> {
    const editor = active();
    const asked = { range: editor?.selection, kind: KIND.docstring };
    if (editor) await this.change(editor.document, 'infill.fill', asked, 'docstring');
  }

  async fixDiagnostic(): Promise<void> {
    const editor = active();
    if (!editor) return;
    const { document, selection } = editor;
    const all = vscode.languages.getDiagnostics(document.uri);
    const here = all.filter(({ range }) => range.intersection(selection));
    const lines = wholeLines(selection);
    const near = here.length ? here : all.filter(({ range }) => range.intersection(lines));
    const choice =
      near.length > 1
        ? await vscode.window.showQuickPick(near.map(asItem), { title: 'Which problem?' })
        : near.map(asItem)[0];
    if (choice) {
      const { range, message } = choice.diagnostic;
      await this.change(document, 'infill.fill', { range, message, kind: KIND.fix }, 'fix');
    } else if (!near.length) {
      void vscode.window.showInformationMessage('infill-ls: there is no problem at the cursor');
    }
  }

  /** The selection, or the line with the cursor: the model looks at every word by itself. */
  async proofreadSelection(place?: Place): Promise<void> {
    const editor = place ? await shown(place.uri) : active();
    const client = editor && (await this.client());
    if (!client) return;
    const { document, selection } = editor;
    if (!client.initializeResult?.capabilities.executeCommandProvider?.commands.includes('infill.proofread')) {
      void vscode.window.showWarningMessage('infill-ls: this server cannot proofread; install a newer one');
      return;
    }
    const range = document.validateRange(place?.range ?? (selection.isEmpty ? wholeLines(selection) : selection));
    const argument = { uri: uriOf(client, document), range: asRange(range) };
    const answer = await command<{ found: number }>(client, 'infill.proofread', argument, 'proofread');
    if (!answer) return;
    const words = answer.found === 1 ? 'one word looks unlikely' : `${answer.found} words look unlikely`;
    const what = answer.found ? `${words}; the light bulb offers others` : 'no word looks unlikely';
    void vscode.window.showInformationMessage(`infill-ls: ${what}`);
  }

  /** Ask the server for the edit, show it if that is wanted, make it if the document is still the same. */
  private async change(
    document: vscode.TextDocument,
    name: 'infill.fill' | 'infill.rewrite',
    asked: { range?: vscode.Range | undefined; [name: string]: unknown },
    title: string,
  ): Promise<void> {
    const client = await this.client();
    if (!client) return;
    const range = asked.range && { range: asRange(asked.range) };
    const argument = { ...asked, ...range, uri: uriOf(client, document), apply: false };
    const edit = await command<WorkspaceEdit>(client, name, argument, title);
    if (!edit) return;
    const { version, edits } = ofDocument(edit);
    const moved = () => version !== undefined && version !== document.version;
    if (!moved() && wantsPreview(name, document)) {
      const file = vscode.workspace.asRelativePath(document.uri);
      if (!(await this.previews.ask(document, edits, `${file}: ${title} (apply or discard?)`))) return;
    }
    if (moved() || document.isClosed) {
      void vscode.window.showWarningMessage('infill-ls: the document has changed meanwhile; ask again');
      return;
    }
    const made = new vscode.WorkspaceEdit();
    made.set(document.uri, await client.protocol2CodeConverter.asTextEdits(edits));
    if (!(await vscode.workspace.applyEdit(made))) {
      void vscode.window.showWarningMessage('infill-ls: the editor did not take the change');
    }
  }
}

function wantsPreview(name: string, document: vscode.TextDocument): boolean {
  const when = vscode.workspace.getConfiguration('infill', document).get<string>('previewChanges', 'rewrites');
  return when === 'always' || (when === 'rewrites' && name === 'infill.rewrite');
}

function active(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) void vscode.window.showInformationMessage('infill-ls: open a file first');
  return editor;
}

function shown(uri: string): Thenable<vscode.TextEditor> {
  return vscode.window.showTextDocument(vscode.Uri.parse(uri));
}

function uriOf(client: LanguageClient, document: vscode.TextDocument): string {
  return client.code2ProtocolConverter.asUri(document.uri);
}

function wholeLines(range: vscode.Range): vscode.Range {
  const last = !range.isEmpty && range.end.character === 0 ? range.end.line - 1 : range.end.line;
  return new vscode.Range(range.start.line, 0, last, Number.MAX_SAFE_INTEGER);
}

function asRange({ start, end }: vscode.Range): object {
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}

function asItem(diagnostic: vscode.Diagnostic): vscode.QuickPickItem & { diagnostic: vscode.Diagnostic } {
  return { label: diagnostic.message, description: diagnostic.source ?? '', diagnostic };
}
