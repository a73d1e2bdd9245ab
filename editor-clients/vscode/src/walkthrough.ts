/**
 * Ticks the walkthrough's first step when the server runs. VS Code reads its walkthroughs when the first one is opened,
 * and overlooks a context key that is set by then. So the key is set for a moment only, whenever one may have opened.
 */

import * as vscode from 'vscode';

const KEY = 'infill.serverRuns';

export class Walkthrough implements vscode.Disposable {
  private readonly registered = vscode.window.tabGroups.onDidChangeTabs(() => {
    this.tell();
  });
  private running = false;

  serverRuns(running: boolean): void {
    this.running = running;
    this.tell();
  }

  dispose(): void {
    this.registered.dispose();
  }

  private tell(): void {
    // A walkthrough's tab is among those of which extensions are told nothing but the label.
    const open = vscode.window.tabGroups.all.some(({ tabs }) => tabs.some(({ input }) => input === undefined));
    if (this.running && open) void pulse();
  }
}

async function pulse(): Promise<void> {
  await vscode.commands.executeCommand('setContext', KEY, true);
  await vscode.commands.executeCommand('setContext', KEY, false);
}
