/** What the user can have done to a file: from the editor and its selection to a change of the text. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { command } from './client';
import { needsConfirmation, ofDocument, type WorkspaceEdit } from './edits';
import { askInstruction } from './instruction';
import { doubts, type Proofread } from './presentation';
import type { Previews } from './preview';
import { KIND, type WorkerStatus } from './protocol';
import { isOn, nameOf, type Switches } from './switches';

/** Where the server's own action is to be done, instead of at the selection. */
export interface Place {
  uri: string;
  range: vscode.Range;
}

export class Commands {
  /** `client` gives the running client, or has said why there is none. */
  constructor(
    private readonly client: () => Promise<LanguageClient | undefined>,
    private readonly switches: Switches,
    private readonly previews: Previews,
    private readonly kept: vscode.Memento,
  ) {}

  async rewriteSelection(place?: Place): Promise<void> {
    const editor = place ? await shown(place.uri) : active();
    if (!editor) return;
    if (!(await this.isOnFor(editor.document)) || !(await this.canRewrite())) return;
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
    const client = editor && (await this.isOnFor(editor.document)) ? await this.client() : undefined;
    if (!editor || !client) return;
    const { document, selection } = editor;
    if (!client.initializeResult?.capabilities.executeCommandProvider?.commands.includes('infill.proofread')) {
      void vscode.window.showWarningMessage('infill-ls: this server cannot proofread; install a newer one');
      return;
    }
    const range = document.validateRange(place?.range ?? (selection.isEmpty ? wholeLines(selection) : selection));
    const argument = { uri: uriOf(client, document), range: asRange(range) };
    const answer = await command<Proofread>(client, 'infill.proofread', argument, 'proofread');
    if (answer) void vscode.window.showInformationMessage(`infill-ls: ${doubts(answer)}`);
  }

  /** The edit of an action from the light bulb: shown, and made if that is wanted. */
  async previewEdit(edit: WorkspaceEdit, title: string): Promise<void> {
    const client = await this.client();
    const uri = edit.documentChanges?.[0]?.textDocument.uri ?? Object.keys(edit.changes ?? {})[0];
    if (!client || !uri) return;
    await this.make(client, (await shown(uri)).document, edit, title, true);
  }

  /** Whether the document's language gets suggestions and edits; if not, the user is told, and may change it. */
  private async isOnFor(document: vscode.TextDocument): Promise<boolean> {
    if (isOn(document)) return true;
    const language = nameOf(document.languageId);
    const turnOn = `Turn on for ${language}`;
    if ((await vscode.window.showWarningMessage(`infill-ls: off for ${language}`, turnOn)) !== turnOn) return false;
    await this.switches.language(true);
    return isOn(document);
  }

  /** Whether the model may follow an instruction; if not, what would is said before anything is typed. */
  private async canRewrite(): Promise<boolean> {
    const client = await this.client();
    if (!client) return false;
    const { rewrites } = await client.sendRequest<WorkerStatus>('workspace/executeCommand', {
      command: 'infill.status',
    });
    if (rewrites?.possible !== false) return true;
    const settings = new Map([
      ['Choose a Model', 'infill.model'],
      ['Choose a Server', 'infill.backend'],
    ]);
    const answer = await vscode.window.showWarningMessage(`infill-ls: ${rewrites.message}`, ...settings.keys());
    const name = answer && settings.get(answer);
    if (name) await vscode.commands.executeCommand('workbench.action.openSettings', name);
    return false;
  }

  /** Ask the server for the edit, show it if that is wanted, make it if the document is still the same. */
  private async change(
    document: vscode.TextDocument,
    name: 'infill.fill' | 'infill.rewrite',
    asked: { range?: vscode.Range | undefined; [name: string]: unknown },
    title: string,
  ): Promise<void> {
    const client = (await this.isOnFor(document)) ? await this.client() : undefined;
    if (!client) return;
    const range = asked.range && { range: asRange(asked.range) };
    const argument = { ...asked, ...range, uri: uriOf(client, document), apply: false };
    const edit = await command<WorkspaceEdit>(client, name, argument, title);
    if (edit) await this.make(client, document, edit, title, wantsPreview(edit, name));
  }

  private async make(
    client: LanguageClient,
    document: vscode.TextDocument,
    edit: WorkspaceEdit,
    title: string,
    preview: boolean,
  ): Promise<void> {
    const { version, edits } = ofDocument(edit);
    const moved = () => version !== undefined && version !== document.version;
    if (!moved() && preview) {
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

/** Whether an edit is to be looked at before it is made. `name` is the command that made it, if one did. */
export function wantsPreview(edit: WorkspaceEdit, name = ''): boolean {
  const when = vscode.workspace.getConfiguration('infill').get<string>('previewChanges', 'rewrites');
  return when === 'always' || (when === 'rewrites' && (name === 'infill.rewrite' || needsConfirmation(edit)));
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
