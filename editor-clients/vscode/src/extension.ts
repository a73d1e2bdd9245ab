/** The extension's life: finds the server when the first file wants it, and ties the parts together. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { type LanguageClient, State } from 'vscode-languageclient/node';
import { create } from './client';
import { Commands, wantsPreview } from './commands';
import { discover, foreign, Missing } from './discovery';
import type { WorkspaceEdit } from './edits';
import { Drafts } from './drafts';
import { complain, install, words } from './install';
import { machine, probe } from './machine';
import { mayMove } from './motion';
import { NextEdits } from './nextEdit';
import { Previews } from './preview';
import type { WorkerStatus } from './protocol';
import { StatusBar } from './status';
import { isCode, isOn, Switches } from './switches';
import { Walkthrough } from './walkthrough';

/** Settings for which the server has to be started anew. */
const STARTS_ANEW = ['serverPath', 'pythonPath', 'liveDrafts'];

let running: Infill | undefined;

export function activate(context: vscode.ExtensionContext): void {
  running = new Infill(context);
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}

class Infill {
  private readonly log = vscode.window.createOutputChannel('infill-ls', { log: true });
  private readonly previews = new Previews();
  private readonly drafts = new Drafts();
  private readonly walkthrough = new Walkthrough();
  private readonly bar: StatusBar;
  private readonly switches: Switches;
  private readonly nextEdits: NextEdits;
  private readonly commands: Commands;
  private client: LanguageClient | undefined;
  /** One start or stop after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  /** Whether the user has been told why there is no server; said once, not with every file. */
  private told = false;

  constructor(private readonly context: vscode.ExtensionContext) {
    this.bar = new StatusBar(() => this.worker(), context.extension.packageJSON as never);
    this.switches = new Switches(
      () => this.client,
      (here) => {
        this.bar.hereIs(here);
      },
    );
    this.nextEdits = new NextEdits(() => this.client, context.asAbsolutePath('media/next-edit.svg'));
    this.commands = new Commands(() => this.ready(), this.switches, this.previews, context.globalState);
    const { commands, switches, nextEdits } = this;
    const registered: Record<string, (...args: never[]) => unknown> = {
      previewEdit: (edit: WorkspaceEdit, title: string) => commands.previewEdit(edit, title),
      rewriteSelection: () => commands.rewriteSelection(),
      fillHole: () => commands.fillHole(),
      fillAll: () => commands.fillAll(),
      fixDiagnostic: () => commands.fixDiagnostic(),
      writeDocstring: () => commands.writeDocstring(),
      proofreadSelection: () => commands.proofreadSelection(),
      toggleEverywhere: () => switches.everywhere(),
      toggleLanguage: () => switches.language(),
      toggleFile: () => switches.file(),
      snoozeTenMinutes: () => switches.snooze(),
      toggleNextEdit: () => switches.nextEdit(),
      jumpToNextEdit: () => {
        nextEdits.jump();
      },
      applyNextEdit: () => nextEdits.apply(),
      dismissNextEdit: () => nextEdits.dismiss(),
      showStatus: () => this.bar.open(),
      showLog: () => {
        this.log.show();
      },
      restart: () => this.restart(true),
      installServer: () => this.install(),
      openExample: () => this.openExample(),
      applyPreview: () => {
        this.previews.decide(true);
      },
      discardPreview: () => {
        this.previews.decide(false);
      },
    };
    for (const [name, run] of Object.entries(registered)) {
      context.subscriptions.push(vscode.commands.registerCommand(`infill.${name}`, run));
    }
    context.subscriptions.push(
      this.log,
      this.previews,
      this.drafts,
      this.bar,
      this.walkthrough,
      this.switches,
      this.nextEdits,
      vscode.workspace.onDidOpenTextDocument((document) => {
        if (this.wants(document)) void this.start();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.restart(false)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (STARTS_ANEW.some((name) => event.affectsConfiguration(`infill.${name}`))) void this.restart(false);
        else if (event.affectsConfiguration('infill')) void this.configured();
      }),
    );
    if (vscode.workspace.textDocuments.some((document) => this.wants(document))) void this.start();
    void this.switches.refresh();
  }

  async stop(): Promise<void> {
    await this.inTurn(() => this.end());
  }

  /** The settings have changed: the server asks for them, or is started if a file wants it by now. */
  private async configured(): Promise<void> {
    await this.client?.sendNotification('workspace/didChangeConfiguration', { settings: null });
    if (vscode.workspace.textDocuments.some((document) => this.wants(document))) await this.start();
    await this.switches.refresh();
  }

  private wants(document: vscode.TextDocument): boolean {
    return isCode(document) && isOn(document);
  }

  /** The client that somebody needs now, started if it must be. Where it cannot be, the user is told again. */
  private async ready(): Promise<LanguageClient | undefined> {
    if (!this.client) this.told = false;
    await this.start();
    return this.client;
  }

  private start(): Promise<void> {
    return this.inTurn(async () => {
      if (this.client) return;
      const folder = this.context.globalStorageUri.fsPath;
      const found = await discover(await machine(folder));
      if (found instanceof Missing) {
        this.bar.serverIs('missing', found.message);
        void this.offer(found);
        return;
      }
      this.log.info(`${found.source}: ${[found.command, ...found.args].join(' ')}`);
      this.bar.serverIs('starting');
      let give: (fault: Error) => void = () => undefined;
      const ended = new Promise<never>((_, reject) => (give = reject));
      ended.catch(() => undefined);
      const client = create(found, folder, this.log, this.restricted(), await mayMove(), {
        status: (status) => {
          this.bar.told(status);
        },
        draft: (draft) => {
          this.drafts.told(draft);
        },
        endedEarly: () => {
          give(new Error('it has ended at once'));
        },
        refused: (refused) => {
          this.bar.silentFor(refused);
        },
        answered: (count) => {
          this.drafts.clear();
          if (count) this.bar.silentFor(undefined);
        },
        wantsPreview,
        chosen: (command, place) => {
          if (command === 'infill.rewrite') void this.commands.rewriteSelection(place);
          else void this.commands.proofreadSelection(place);
        },
      });
      client.onDidChangeState(({ newState }) => {
        if (client !== this.client) return;
        const up = newState === State.Running;
        this.bar.serverIs(
          up ? 'running' : newState === State.Starting ? 'starting' : 'failed',
          'the language server has ended; see the log',
        );
        void vscode.commands.executeCommand('setContext', 'infill.running', up);
        this.walkthrough.serverRuns(up);
        void this.switches.refresh();
      });
      this.client = client;
      try {
        await Promise.race([client.start(), ended]);
        this.told = false;
      } catch (fault) {
        this.client = undefined;
        const why = foreign(found.command, await probe(found.command, folder)) ?? words(fault);
        this.bar.serverIs('failed', why);
        void complain(`the language server of ${found.source} does not start: ${why}`, this.log);
      }
    });
  }

  private async restart(workerToo: boolean): Promise<void> {
    if (workerToo && this.client?.isRunning()) {
      await this.client
        .sendRequest('workspace/executeCommand', { command: 'infill.restartWorker' })
        .catch(() => undefined);
    }
    await this.inTurn(() => this.end());
    this.told = false;
    if (workerToo || vscode.workspace.textDocuments.some((document) => this.wants(document))) await this.start();
  }

  private async end(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    this.drafts.clear();
    this.bar.serverIs('waiting');
    this.walkthrough.serverRuns(false);
    await vscode.commands.executeCommand('setContext', 'infill.running', false);
    await client?.dispose(5_000).catch((fault: unknown) => {
      this.log.warn(words(fault));
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.turn.then(work, work);
    this.turn = next.catch(() => undefined);
    return next;
  }

  private async install(): Promise<void> {
    // The running server may be the one that is to be replaced.
    await this.inTurn(() => this.end());
    if (await install(this.context, this.log)) {
      void vscode.window.showInformationMessage('infill-ls: the language server is installed');
    }
    this.told = true;
    await this.start();
  }

  private async offer(missing: Missing): Promise<void> {
    if (this.told) return;
    this.told = true;
    if (!missing.installable) {
      await complain(missing.message, this.log);
      return;
    }
    this.log.warn(missing.message);
    const answer = await vscode.window.showWarningMessage(`infill-ls: ${missing.message}`, 'Install…', 'Open Settings');
    if (answer === 'Install…') await this.install();
    if (answer === 'Open Settings') {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'infill path');
    }
  }

  private async worker(): Promise<WorkerStatus | undefined> {
    if (!this.client?.isRunning()) return undefined;
    return this.client.sendRequest<WorkerStatus>('workspace/executeCommand', { command: 'infill.status' });
  }

  private async openExample(): Promise<void> {
    const file = join(this.context.extensionPath, 'media', 'walkthrough', 'example.py');
    const content = (await readFile(file, 'utf8')).replace(/\r\n/g, '\n');
    const document = await vscode.workspace.openTextDocument({ language: 'python', content });
    const editor = await vscode.window.showTextDocument(document);
    const at = document.positionAt(content.indexOf('self.quantity =') + 'self.quantity ='.length);
    editor.selection = new vscode.Selection(at, at);
    editor.revealRange(editor.selection);
  }

  /** The settings that count from a workspace only if it is trusted, as the manifest has them. */
  private restricted(): ReadonlySet<string> {
    const manifest = this.context.extension.packageJSON as {
      capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
    };
    return new Set(
      manifest.capabilities.untrustedWorkspaces.restrictedConfigurations.map((name) => name.replace('infill.', '')),
    );
  }
}
