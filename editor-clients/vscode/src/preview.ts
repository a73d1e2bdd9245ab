/** A change shown as a difference, which the user applies or discards. Knows no server. */

import * as vscode from 'vscode';
import { applied, type TextEdit } from './edits';

export const SCHEME = 'infill-preview';

interface Pending {
  uri: vscode.Uri;
  decide: (apply: boolean) => void;
}

export class Previews implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly registered: vscode.Disposable[];
  private pending: Pending | undefined;
  private count = 0;

  constructor() {
    this.registered = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs(({ closed }) => {
        if (closed.some((tab) => this.shows(tab))) this.pending?.decide(false);
      }),
    ];
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? '';
  }

  /** The commands in the title of the difference; closing it discards as well. */
  decide(apply: boolean): void {
    this.pending?.decide(apply);
  }

  /** Whether the user wants the change. A newer question takes the place of an open one. */
  async ask(document: vscode.TextDocument, edits: readonly TextEdit[], title: string): Promise<boolean> {
    this.pending?.decide(false);
    this.count += 1;
    const uri = vscode.Uri.from({ scheme: SCHEME, path: document.uri.path, query: String(this.count) });
    this.texts.set(uri.toString(), applied(document.getText(), edits));
    const decided = new Promise<boolean>((resolve) => {
      this.pending = { uri, decide: resolve };
    });
    void setContext(true);
    try {
      const preview = await vscode.workspace.openTextDocument(uri);
      if (preview.languageId !== document.languageId) {
        await vscode.languages.setTextDocumentLanguage(preview, document.languageId);
      }
      await vscode.commands.executeCommand('vscode.diff', document.uri, uri, title, { preview: true });
      return await decided;
    } finally {
      const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
      const shown = tabs.filter((tab) => tab.input instanceof vscode.TabInputTextDiff && same(tab.input.modified, uri));
      if (this.pending?.uri === uri) {
        this.pending = undefined;
        void setContext(false);
      }
      this.texts.delete(uri.toString());
      await vscode.window.tabGroups.close(shown);
    }
  }

  dispose(): void {
    this.pending?.decide(false);
    for (const each of this.registered) each.dispose();
  }

  private shows(tab: vscode.Tab): boolean {
    return tab.input instanceof vscode.TabInputTextDiff && same(tab.input.modified, this.pending?.uri);
  }
}

function same(one: vscode.Uri, other: vscode.Uri | undefined): boolean {
  return one.toString() === other?.toString();
}

function setContext(previewing: boolean): Thenable<unknown> {
  return vscode.commands.executeCommand('setContext', 'infill.previewing', previewing);
}
