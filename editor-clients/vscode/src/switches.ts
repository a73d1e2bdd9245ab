/** Where suggestions come and where not: what holds for the current file, and what turns it on and off. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import type { Here } from './presentation';
import type { DocumentState } from './protocol';
import { languageIds, withLanguage } from './settings';

export const SNOOZE_MINUTES = 10;

export class Switches implements vscode.Disposable {
  private readonly registered: vscode.Disposable[];
  private waking: NodeJS.Timeout | undefined;
  /** How often it was asked what holds; only the last answer counts. */
  private asked = 0;

  /** `running` gives the client, if there is one. `told` is called with what holds for the current file. */
  constructor(
    private readonly running: () => LanguageClient | undefined,
    private readonly told: (here: Here | undefined) => void,
  ) {
    this.registered = [
      vscode.window.onDidChangeActiveTextEditor(() => this.refresh()),
      vscode.workspace.onDidOpenTextDocument(() => this.refresh()), // also when its language is changed
    ];
  }

  /** For all files, in the settings. */
  async everywhere(): Promise<void> {
    const settings = vscode.workspace.getConfiguration('infill');
    await settings.update('enable', !settings.get<boolean>('enable', true), target(settings, 'enable'));
    await this.hide();
  }

  /** The next edit, for all files, in the settings. */
  async nextEdit(): Promise<void> {
    const settings = vscode.workspace.getConfiguration('infill');
    const on = !settings.get<boolean>('nextEdit.enabled', true);
    await settings.update('nextEdit.enabled', on, target(settings, 'nextEdit.enabled'));
    void vscode.window.showInformationMessage(`infill-ls: next edits are ${on ? 'on' : 'off'}`);
  }

  /** For the current file's language, in the settings; or turn it on, whatever it is. */
  async language(on?: boolean): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    if (!document) return;
    const id = document.languageId;
    const settings = vscode.workspace.getConfiguration('infill', document);
    const languages = settings.get<string[]>('languages', []);
    const now = languageIds(languages).includes(id);
    if (now === on) return;
    await settings.update('languages', withLanguage(languages, id, !now), target(settings, 'languages'));
    await this.hide();
  }

  /** For the current file, until it is closed. */
  async file(): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    if (document) await this.send('infill.toggle', { uri: this.uriOf(document) });
  }

  /** For all files, for some minutes; if they are snoozed already, they wake. */
  async snooze(): Promise<void> {
    const left = (await this.here())?.minutes ?? 0;
    await this.send('infill.snooze', { minutes: left > 0 ? 0 : SNOOZE_MINUTES });
  }

  /** Have `told` called with what holds now. */
  async refresh(): Promise<void> {
    const number = ++this.asked;
    const here = await this.here();
    if (number !== this.asked) return;
    this.told(here);
    clearTimeout(this.waking);
    if (here && here.minutes > 0) this.waking = setTimeout(() => void this.refresh(), here.minutes * 60_000 + 500);
  }

  dispose(): void {
    clearTimeout(this.waking);
    for (const each of this.registered) each.dispose();
  }

  /** The settings say so without a server; the rest is the server's to know. */
  private async here(): Promise<Here | undefined> {
    const document = vscode.window.activeTextEditor?.document;
    if (!document || !isCode(document)) return undefined;
    const language = nameOf(document.languageId);
    const known = { uri: document.uri.toString(), language, on: false, message: '', minutes: 0 };
    if (!isOn(document)) return { ...known, reason: 'language' };
    const client = this.running();
    if (client?.isRunning()) {
      const params = { command: 'infill.status', arguments: [{ uri: this.uriOf(document) }] };
      const answer = await client
        .sendRequest<{ document?: DocumentState }>('workspace/executeCommand', params)
        .catch(() => undefined);
      if (answer?.document) return { ...known, ...answer.document };
    }
    const on = vscode.workspace.getConfiguration('infill').get<boolean>('enable', true);
    return { ...known, on, reason: on ? '' : 'off' };
  }

  private async send(command: string, argument: object): Promise<void> {
    const client = this.running();
    if (!client?.isRunning()) {
      void vscode.window.showInformationMessage('infill-ls: the language server does not run, so nothing is suggested');
      return;
    }
    await client.sendRequest('workspace/executeCommand', { command, arguments: [argument] });
    await this.hide();
    await this.refresh();
  }

  private uriOf(document: vscode.TextDocument): string {
    return this.running()?.code2ProtocolConverter.asUri(document.uri) ?? document.uri.toString();
  }

  /** What is shown was offered before. */
  private async hide(): Promise<void> {
    await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
  }
}

export function isCode(document: vscode.TextDocument): boolean {
  return ['file', 'untitled', 'vscode-notebook-cell'].includes(document.uri.scheme);
}

export function isOn(document: vscode.TextDocument): boolean {
  const languages = vscode.workspace.getConfiguration('infill', document).get('languages');
  return languageIds(languages).includes(document.languageId);
}

interface Manifest {
  contributes?: { languages?: { id: string; aliases?: string[] }[] };
}

/** What VS Code calls a language. */
export function nameOf(language: string): string {
  const all = vscode.extensions.all.flatMap(
    ({ packageJSON }) => (packageJSON as Manifest).contributes?.languages ?? [],
  );
  return all.find(({ id, aliases }) => id === language && aliases?.length)?.aliases?.[0] ?? language;
}

/** Where a setting is written: where it was set, else for the user. */
function target(settings: vscode.WorkspaceConfiguration, name: string): vscode.ConfigurationTarget {
  const { workspaceFolderValue, workspaceValue } = settings.inspect(name) ?? {};
  if (workspaceFolderValue !== undefined) return vscode.ConfigurationTarget.WorkspaceFolder;
  return workspaceValue === undefined ? vscode.ConfigurationTarget.Global : vscode.ConfigurationTarget.Workspace;
}
