/** The status bar entry, and the list that opens from it. */

import * as vscode from 'vscode';
import { bar, details, type Here, keysOf, type Server, silence, type Switch, switches } from './presentation';
import type { Refused, Status, WorkerStatus } from './protocol';
import { SNOOZE_MINUTES } from './switches';

/** An answer faster than this does not make the entry spin. */
const BUSY_AFTER_MS = 300;
/** How old the details in the tooltip may be. */
const DETAILS_MS = 5_000;

interface Action extends vscode.QuickPickItem {
  command?: string;
  argument?: unknown;
}

const ACTIONS: Action[] = [
  { label: '$(sparkle) Rewrite selection…', command: 'infill.rewriteSelection' },
  { label: '$(sparkle) Fill hole here', command: 'infill.fillHole' },
  { label: '$(sparkle) Fill all holes in file', command: 'infill.fillAll' },
  { label: '$(wrench) Fix problem here', command: 'infill.fixDiagnostic' },
  { label: '$(book) Write or refresh docstring', command: 'infill.writeDocstring' },
  { label: '$(checklist) Proofread selection or line', command: 'infill.proofreadSelection' },
];
/** VS Code's own, for the suggestions of all extensions; not in older versions. */
const SNOOZE_ALL = 'editor.action.inlineSuggest.snooze';
const MORE: Action[] = [
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
  private readonly keys: Map<string, string>;
  private server: Server = 'waiting';
  private problem = '';
  private status: Status | undefined;
  private worker: WorkerStatus | undefined;
  private here: Here | undefined;
  private refused: Refused | undefined;
  private asked = 0;
  private delayed: NodeJS.Timeout | undefined;

  /** `ask` gets the worker's details; undefined where there is no server to ask. `manifest` has the keys. */
  constructor(
    private readonly ask: () => Promise<WorkerStatus | undefined>,
    manifest: { contributes: { keybindings: { command: string; key: string; mac?: string }[] } },
  ) {
    this.keys = keysOf(manifest.contributes.keybindings, process.platform === 'darwin');
    this.item.name = 'infill-ls';
    this.item.command = 'infill.showStatus';
    this.show();
    this.item.show();
  }

  serverIs(server: Server, problem = ''): void {
    this.server = server;
    this.problem = problem;
    if (server !== 'running') this.status = this.worker = this.refused = undefined;
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

  /** What holds for the current file; undefined where there is none. */
  hereIs(here: Here | undefined): void {
    this.here = here;
    this.show();
  }

  /** Why nothing was offered at the last place; undefined once something was. */
  silentFor(refused: Refused | undefined): void {
    this.refused = refused;
    this.show();
  }

  /** The list: how everything is, and what can be done about it. */
  async open(): Promise<void> {
    this.worker = await this.ask().catch(() => undefined);
    const { tooltip } = bar(this.server, this.status, this.problem, this.here);
    const lines = this.worker ? details(this.worker) : [];
    const silent = silence(this.here, this.refused);
    const withKeys = (action: Action): Action => ({
      ...action,
      description: this.keys.get(action.command ?? '') ?? '',
    });
    const switching = switches(this.here, SNOOZE_MINUTES).map(({ label, command }) => ({
      label: `$(circle-large-outline) ${label}`,
      command,
    }));
    const snoozes = (await vscode.commands.getCommands()).includes(SNOOZE_ALL);
    const items: Action[] = [
      { label: tooltip, kind: vscode.QuickPickItemKind.Separator },
      ...(silent ? [{ label: 'Nothing offered', description: silent }] : []),
      ...lines.map(([name, value]): Action => ({ label: name, description: value })),
      { label: 'suggestions', kind: vscode.QuickPickItemKind.Separator },
      ...(this.server === 'missing' ? [INSTALL] : []),
      ...switching.map(withKeys),
      ...(snoozes ? [{ label: "$(bell-slash) VS Code's own snooze, for all extensions…", command: SNOOZE_ALL }] : []),
      { label: 'in this file', kind: vscode.QuickPickItemKind.Separator },
      ...ACTIONS.map(withKeys),
      { label: 'server', kind: vscode.QuickPickItemKind.Separator },
      ...MORE.map(withKeys),
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
    const { text, tooltip, warning } = bar(this.server, this.status, this.problem, this.here);
    const table = new vscode.MarkdownString();
    table.appendText(`infill-ls: ${tooltip}`);
    const offered: Switch[] = this.here && !this.here.on ? switches(this.here, SNOOZE_MINUTES).slice(0, 1) : [];
    table.isTrusted = { enabledCommands: offered.map(({ command }) => command) };
    for (const { label, command } of offered) {
      table.appendMarkdown('\n\n[').appendText(label).appendMarkdown(`](command:${command})`);
    }
    const silent = silence(this.here, this.refused);
    if (silent) table.appendMarkdown('\n\n').appendText(`Nothing offered, ${silent}`);
    for (const [name, value] of this.worker ? details(this.worker) : []) {
      table.appendMarkdown('\n\n').appendText(`${name}: ${value}`);
    }
    this.item.text = text;
    this.item.tooltip = table;
    this.item.accessibilityInformation = { label: `infill-ls: ${tooltip}` };
    this.item.backgroundColor = warning ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  }
}
