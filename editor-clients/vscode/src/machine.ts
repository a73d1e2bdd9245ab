/** The machine that `discovery` looks at: programs that are run, the Python extension, the settings. */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { type Answer, type Machine, type Python, QUESTION, read } from './discovery';

const ANSWERS_WITHIN_MS = 20_000;
const WINDOWS = process.platform === 'win32';

/** The part of the Python extension's interface that is used. */
interface PythonExtension {
  environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(path: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
  };
}

/** `folder` is the extension's own: programs run there, so that files of the workspace shadow nothing. */
export async function machine(folder: string): Promise<Machine> {
  await mkdir(folder, { recursive: true });
  const settings = vscode.workspace.getConfiguration('infill');
  return {
    serverPath: own(settings, 'serverPath'),
    pythonPath: own(settings, 'pythonPath'),
    ownPython: pythonOf(environmentIn(folder)),
    activePython: () => activePython(folder),
    which,
    ask: (python) => ask(python, folder),
  };
}

export function environmentIn(folder: string): string {
  return join(folder, 'environment');
}

export function pythonOf(environment: string): string {
  return WINDOWS ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python');
}

/** A path that only the user may set, with ~ for the home folder. */
function own(settings: vscode.WorkspaceConfiguration, name: string): string {
  const value = settings.inspect<unknown>(name)?.globalValue;
  return typeof value === 'string' ? value.trim().replace(/^~(?=[/\\])/, homedir()) : '';
}

async function activePython(folder: string): Promise<string | undefined> {
  if (!vscode.workspace.isTrusted) return undefined; // it may be a program of the workspace
  const extension = vscode.extensions.getExtension<PythonExtension>('ms-python.python');
  try {
    const environments = (await extension?.activate())?.environments;
    if (!environments) return undefined;
    const resource = vscode.window.activeTextEditor?.document.uri;
    const found = await environments.resolveEnvironment(environments.getActiveEnvironmentPath(resource));
    const path = found?.executable.uri?.fsPath;
    return path && (await ask(path, folder)) ? path : undefined;
  } catch {
    return undefined; // another extension's trouble
  }
}

async function which(program: string): Promise<string | undefined> {
  const folders = isAbsolute(program) ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  const endings = WINDOWS ? ['', '.exe', '.cmd', '.bat'] : [''];
  for (const folder of folders) {
    if (folder !== '' && !isAbsolute(folder)) continue; // relative to a folder of the workspace
    for (const ending of endings) {
      const path = join(folder, program + ending);
      try {
        await access(path, WINDOWS ? constants.F_OK : constants.X_OK);
        if ((await stat(path)).isFile()) return path;
      } catch {
        continue;
      }
    }
  }
  return undefined;
}

/** Asks any program for its version. */
export function probe(program: string, folder: string): Promise<Answer> {
  const options = { cwd: folder, timeout: ANSWERS_WITHIN_MS, windowsHide: true };
  return new Promise((resolve) => {
    const child = execFile(program, ['--version'], options, (fault, printed, complained) => {
      resolve({ code: fault?.code ?? fault?.signal ?? 0, printed: printed.trim() || complained });
    });
    child.stdin?.end();
  });
}

function ask(python: string, folder: string): Promise<Python | undefined> {
  const options = { cwd: folder, timeout: ANSWERS_WITHIN_MS, windowsHide: true };
  return new Promise((resolve) => {
    execFile(python, ['-c', QUESTION], options, (fault, answer) => {
      const found = fault ? undefined : read(answer);
      resolve(found && { ...found, path: python });
    });
  });
}
