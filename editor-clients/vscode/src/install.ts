/** Installing the server that comes with this extension into an environment of its own, if the user agrees. */

import { spawn } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { basePython, Missing } from './discovery';
import { environmentIn, machine, pythonOf } from './machine';
import { progressOf } from './pip';

/** PyTorch's own builds for machines without a GPU; the ordinary ones for Linux bring gigabytes of CUDA. */
const CPU_BUILDS = 'https://download.pytorch.org/whl/cpu';

/** A link in a notification, which has no room for a button beside the one that cancels. */
const SHOW_LOG = '([Show Log](command:infill.showLog))';

interface Choice extends vscode.QuickPickItem {
  more: string[];
}

const CHOICES: Choice[] = [
  {
    label: 'The CPU',
    description: 'about 300 MB to download',
    detail: 'Enough for the model that comes with infill-ls.',
    more: ['--extra-index-url', CPU_BUILDS],
  },
  {
    label: 'An NVIDIA GPU',
    description: 'about 3 GB to download',
    detail: 'For large models. PyTorch with CUDA, which runs on the CPU too.',
    more: [],
  },
];

/** Whether the server is installed now. What goes wrong is told to the user, and to `log` in full. */
export async function install(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<boolean> {
  const folder = context.globalStorageUri.fsPath;
  const python = await basePython(await machine(folder), process.platform === 'win32');
  if (python instanceof Missing) {
    await complain(python.message, log);
    return false;
  }
  const wheel = await bundled(context);
  if (!wheel) {
    await complain(
      'this build of the extension holds no server: install one as its docs/install.md says, and set infill.serverPath',
      log,
    );
    return false;
  }
  const version = python.version.join('.');
  const agreed = await vscode.window.showInformationMessage(
    'Install the infill-ls language server?',
    {
      modal: true,
      detail: `It gets a Python environment of its own (Python ${version}, ${python.path}) in\n${environmentIn(folder)}\nPackages, PyTorch among them, are downloaded with pip: ${size()}.`,
    },
    'Install',
  );
  if (agreed !== 'Install') return false;
  const choice = process.platform === 'linux' ? await choose() : CHOICES[1];
  if (!choice) return false;
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Installing infill-ls ${SHOW_LOG}`, cancellable: true },
    async (progress, token) => {
      const environment = environmentIn(folder);
      try {
        await rm(environment, { recursive: true, force: true });
        progress.report({ message: 'making an environment' });
        const line = (text: string) => {
          const message = progressOf(text);
          if (message) progress.report({ message });
        };
        await run(python.path, ['-m', 'venv', environment], folder, log, token, line);
        progress.report({ message: 'waiting for the package index' });
        const constraints = join(context.extensionPath, 'server', 'constraints.txt');
        const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '-c', constraints, ...choice.more, wheel];
        await run(pythonOf(environment), pip, folder, log, token, line);
        return true;
      } catch (fault) {
        await rm(environment, { recursive: true, force: true });
        if (!token.isCancellationRequested) void complain(`the installation failed: ${words(fault)}`, log);
        return false;
      }
    },
  );
}

export async function complain(problem: string, log: vscode.LogOutputChannel): Promise<void> {
  log.error(problem);
  const answer = await vscode.window.showErrorMessage(`infill-ls: ${problem}`, 'Open Settings', 'Show Log');
  if (answer === 'Show Log') log.show();
  if (answer === 'Open Settings') {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'infill path');
  }
}

function choose(): Thenable<Choice | undefined> {
  return vscode.window.showQuickPick(CHOICES, { title: 'Where is the model to run?', ignoreFocusOut: true });
}

/** How much is downloaded, for a person. */
function size(): string {
  return process.platform === 'linux' ? 'about 300 MB for the CPU, about 3 GB for an NVIDIA GPU' : 'some hundred MB';
}

async function bundled(context: vscode.ExtensionContext): Promise<string | undefined> {
  const folder = join(context.extensionPath, 'server');
  const files = await readdir(folder).catch((): string[] => []);
  const wheel = files.find((name) => name.endsWith('.whl'));
  return wheel && join(folder, wheel);
}

/** Rejects with the last line that the program wrote to standard error, or when cancelled. */
function run(
  command: string,
  args: string[],
  cwd: string,
  log: vscode.LogOutputChannel,
  token: vscode.CancellationToken,
  said: (line: string) => void,
): Promise<void> {
  log.info(`${command} ${args.join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, windowsHide: true });
    const cancelled = token.onCancellationRequested(() => child.kill());
    let last = '';
    const tell = (chunk: string) => {
      for (const line of chunk.split(/\r?\n/).filter((each) => each.trim())) {
        log.info(line);
        said(line);
      }
    };
    child.stdout.setEncoding('utf8').on('data', tell);
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      tell(chunk);
      last = chunk.trim().split(/\r?\n/).at(-1) ?? last;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      cancelled.dispose();
      if (code === 0) resolve();
      else reject(new Error(last || `${command} ended with ${code ?? 'a signal'}`));
    });
  });
}

export function words(fault: unknown): string {
  return (fault instanceof Error ? fault.message : String(fault)).split('\n')[0] ?? '';
}
