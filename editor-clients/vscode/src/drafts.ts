/** A suggestion that is still being denoised, drawn at the cursor until the suggestion itself takes its place. */

import * as vscode from 'vscode';
import { drawn } from './drawn';
import type { Draft } from './protocol';

/** A draft that nothing follows is taken away after this long. */
const STAYS_MS = 3_000;

export class Drafts implements vscode.Disposable {
  private readonly look = vscode.window.createTextEditorDecorationType({});
  private readonly registered: vscode.Disposable[];
  private shownIn: vscode.TextEditor | undefined;
  private leaving: NodeJS.Timeout | undefined;

  constructor() {
    const clear = () => {
      this.clear();
    };
    this.registered = [
      vscode.workspace.onDidChangeTextDocument(clear),
      vscode.window.onDidChangeTextEditorSelection(clear),
      vscode.window.onDidChangeActiveTextEditor(clear),
    ];
  }

  told(draft: Draft): void {
    const editor = vscode.window.activeTextEditor;
    const text = drawn(draft);
    if (!text || editor?.document.uri.toString() !== vscode.Uri.parse(draft.uri).toString()) return;
    const at = new vscode.Position(draft.position.line, draft.position.character);
    if (editor.document.version !== draft.version || !editor.selection.active.isEqual(at)) return;
    const after = {
      contentText: text,
      color: new vscode.ThemeColor('editorGhostText.foreground'),
      fontStyle: 'italic',
    };
    editor.setDecorations(this.look, [{ range: new vscode.Range(at, at), renderOptions: { after } }]);
    this.shownIn = editor;
    clearTimeout(this.leaving);
    this.leaving = setTimeout(() => {
      this.clear();
    }, STAYS_MS);
  }

  clear(): void {
    clearTimeout(this.leaving);
    this.shownIn?.setDecorations(this.look, []);
    this.shownIn = undefined;
  }

  dispose(): void {
    this.clear();
    this.look.dispose();
    for (const each of this.registered) each.dispose();
  }
}
