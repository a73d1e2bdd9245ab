/** The status bar entry, and the list that opens from it. */

import * as vscode from 'vscode';
import { bar, details, type Server } from './presentation';
import type { Status, WorkerStatus } from './protocol';

/** An answer faster than this does not make the entry spin. */
const BUSY_AFTER_MS = 300;
/** How old the details in the tooltip may be. */
const DETAILS_MS = 5_000;

interface Action extends vscode.QuickPickItem {
  command?: string;
  argument?: unknown;
}

const ACTIONS: Action[] = [
  { label: '$(debug-restart) Restart server and worker', command: 'infill.restart' },
  { label: '$(output) Show log', command: 'infill.showLog' },
  { label: '$(gear) Settings', command: 'workbench.action.openSettings', argument: '@ext:infill-ls.infill-ls' },
  {
    label: '$(mortar-board) Walkthrough',
    command: 'workbench.action.openWalkthrough',
    argument: 'infill-ls.infill-ls#start',
  },
];
const INSTALL: Action = { label: '$(cloud-download) Install the language server', command: 'infill.installServer' };

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('infill.status', vscode.StatusBarAlignment.Right, 100);
  private server: Server = 'waiting';
  private problem = '';
  private status: Status | undefined;
  private worker: WorkerStatus | undefined;
  private asked = 0;
  private delayed: NodeJS.Timeout | undefined;

  /** `ask` gets the worker's details; undefined where there is no server to ask. */
  constructor(private readonly ask: () => Promise<WorkerStatus | undefined>) {
    this.item.name = 'infill-ls';
    this.item.command = 'infill.showStatus';
    this.show();
    this.item.show();
  }

  serverIs(server: Server, problem = ''): void {
    this.server = server;
    this.problem = problem;
    if (server !== 'running') this.status = this.worker = undefined;
    this.show();
  }

  told(status: Status): void {
    clearTimeout(this.delayed);
    const take = () => {
      this.status = status;
      this.show();
    };
    if (status.state === 'busy' && this.status?.state === 'idle') this.delayed = setTimeout(take, BUSY_AFTER_MS);
    else take();
    if (status.state !== 'busy') void this.refresh();
  }

  /** The list: how everything is, and what can be done about it. */
  async open(): Promise<void> {
    this.worker = await this.ask().catch(() => undefined);
    const { tooltip } = bar(this.server, this.status, this.problem);
    const lines = this.worker ? details(this.worker) : [];
    const items: Action[] = [
      { label: tooltip, kind: vscode.QuickPickItemKind.Separator },
      ...lines.map(([name, value]): Action => ({ label: name, description: value })),
      { label: '', kind: vscode.QuickPickItemKind.Separator },
      ...(this.server === 'missing' ? [INSTALL] : []),
      ...ACTIONS,
    ];
    const chosen = await vscode.window.showQuickPick(items, { title: 'infill-ls' });
    if (chosen?.command) await vscode.commands.executeCommand(chosen.command, chosen.argument);
  }

  dispose(): void {
    clearTimeout(this.delayed);
    this.item.dispose();
  }

  private async refresh(): Promise<void> {
    const now = Date.now();
    if (now - this.asked < DETAILS_MS) return;
    this.asked = now;
    this.worker = await this.ask().catch(() => undefined);
    this.show();
  }

  private show(): void {
    const { text, tooltip, warning } = bar(this.server, this.status, this.problem);
    const table = new vscode.MarkdownString();
    table.appendText(`infill-ls: ${tooltip}`);
    for (const [name, value] of this.worker ? details(this.worker) : []) {
      table.appendMarkdown('\n\n').appendText(`${name}: ${value}`);
    }
    this.item.text = text;
    this.item.tooltip = table;
    this.item.accessibilityInformation = { label: `infill-ls: ${tooltip}` };
    this.item.backgroundColor = warning ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  }
}
