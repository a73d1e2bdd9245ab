/** The box that asks for an instruction and offers the ones given before. They stay in this editor's storage. */

import * as vscode from 'vscode';
import { forgotten, remembered } from './history';

const KEY = 'instructions';
const FORGET: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon('close'), tooltip: 'Forget this instruction' };

interface Entry extends vscode.QuickPickItem {
  instruction: string;
  /** Whether it stands for what is in the box, which may be further than the list by now. */
  own?: boolean;
}

/** One line, or undefined if the user thinks better of it. */
export function askInstruction(kept: vscode.Memento): Promise<string | undefined> {
  const box = vscode.window.createQuickPick<Entry>();
  box.title = 'Rewrite the selection';
  box.placeholder = 'What should become of it? For example: use a dict comprehension';
  box.matchOnDescription = false;
  const history = () => kept.get<string[]>(KEY, []);
  const show = () => {
    const typed = box.value.trim();
    const earlier = history()
      .filter((each) => each !== typed)
      .map((instruction): Entry => ({
        label: instruction,
        instruction,
        buttons: [FORGET],
        iconPath: new vscode.ThemeIcon('history'),
      }));
    // What is typed comes first, so that Enter takes it and not an entry that happens to match.
    const own: Entry[] = typed
      ? [{ label: typed, instruction: typed, own: true, alwaysShow: true, iconPath: new vscode.ThemeIcon('sparkle') }]
      : [];
    box.items = [...own, ...earlier];
  };
  show();
  return new Promise((resolve) => {
    box.onDidChangeValue(show);
    box.onDidTriggerItemButton(async ({ item }) => {
      await kept.update(KEY, forgotten(history(), item.instruction));
      show();
    });
    box.onDidAccept(async () => {
      const [chosen] = box.selectedItems;
      const instruction = chosen && !chosen.own ? chosen.instruction : box.value.trim();
      if (!instruction) return;
      resolve(instruction);
      box.hide();
      await kept.update(KEY, remembered(history(), instruction));
    });
    box.onDidHide(() => {
      resolve(undefined);
      box.dispose();
    });
    box.show();
  });
}
