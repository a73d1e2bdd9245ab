/**
 * Whether things may move on the screen. VS Code does not tell an extension what the system prefers
 * (`workbench.reduceMotion: auto`), so the system is asked, where it is this machine that draws.
 */

import { execFile } from 'node:child_process';
import * as vscode from 'vscode';

const QUESTIONS: Partial<Record<NodeJS.Platform, { command: string; args: string[]; calm: RegExp }>> = {
  darwin: { command: 'defaults', args: ['read', 'com.apple.universalaccess', 'reduceMotion'], calm: /^1/ },
  linux: { command: 'gsettings', args: ['get', 'org.gnome.desktop.interface', 'enable-animations'], calm: /^false/ },
  win32: {
    command: 'reg',
    args: ['query', 'HKCU\\Control Panel\\Desktop\\WindowMetrics', '/v', 'MinAnimate'],
    calm: /REG_SZ\s+0/,
  },
};

export async function mayMove(): Promise<boolean> {
  const settings = vscode.workspace.getConfiguration();
  if (!settings.get<boolean>('infill.liveDrafts', true)) return false;
  if (settings.get('editor.accessibilitySupport') === 'on') return false; // it would be read out
  const reduced = settings.get<string>('workbench.reduceMotion');
  if (reduced === 'on') return false;
  if (reduced === 'off') return true;
  return vscode.env.remoteName !== undefined || !(await systemIsCalm());
}

function systemIsCalm(): Promise<boolean> {
  const question = QUESTIONS[process.platform];
  if (!question) return Promise.resolve(false);
  return new Promise((resolve) => {
    execFile(question.command, question.args, { timeout: 2_000, windowsHide: true }, (fault, answer) => {
      resolve(!fault && question.calm.test(answer.trim()));
    });
  });
}
