/** The page: what is on it, and what follows from what. */

import './play.css';
import { CanvasView } from './canvas';
import { Client } from './client';
import { Editor } from './editor';
import type { Config, Status } from './protocol';
import { type Sample, SAMPLES } from './samples';
import { panel } from './settings';

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const banner = find('banner');
const notices = find('notices');
const stillness = matchMedia('(prefers-reduced-motion: reduce)');

function tell(message: string): void {
  const line = document.createElement('p');
  line.textContent = message;
  notices.append(line);
  setTimeout(() => {
    line.remove();
  }, 8000);
}

function state(status: Status): void {
  const percent = status.progress === undefined ? '' : ` ${Math.round(100 * status.progress)}%`;
  const latency = status.latency === undefined ? '' : ` · ${Math.round(status.latency)} ms`;
  const what = {
    idle: 'ready',
    loading: 'loading the model',
    busy: 'denoising',
    degraded: 'trouble',
    stopped: 'stopped',
  };
  find('state').textContent = `${what[status.state]}${percent}${latency}`;
  find('state').dataset['state'] = status.state;
  find('state').title = status.message;
}

async function start(): Promise<void> {
  const config = (await (await fetch('config.json')).json()) as Config;
  const steps = find<HTMLInputElement>('steps');
  const canvas = new CanvasView(
    find('board'),
    find('frame'),
    find('told'),
    find('outcome'),
    find('replay'),
    () => stillness.matches,
  );
  // Who tries it out would rather wait than see nothing.
  const settings = { deadlineMs: 30_000, ...config.given, languages: config.languages };
  let before: Status['state'] = 'stopped';

  const client: Client = new Client(new URL('lsp', location.href.replace(/^http/, 'ws')).href, settings, {
    connected: () => {
      banner.hidden = true;
      begin();
    },
    lost: (reason) => {
      banner.textContent = reason
        ? `${reason} Trying again…`
        : 'infill-ls play does not answer. If it was ended, start it again and open the address that it prints.';
      banner.hidden = false;
    },
    status: (status) => {
      state(status);
      if (before === 'loading' && status.state === 'idle') begin(); // what was asked before had no answer
      before = status.state;
    },
    draft: (draft) => {
      canvas.add(draft);
    },
    refused: (refused) => {
      canvas.refused(refused);
    },
    progress: (message) => {
      find('progress').textContent = message ?? '';
    },
    message: tell,
    diagnostics: (uri, found) => {
      editor.mark(uri, found);
    },
    apply: (edit) => {
      editor.apply(edit);
    },
  });
  const editor: Editor = new Editor(find('editor'), client, canvas, () => Number(steps.value), tell);

  const samples = find<HTMLSelectElement>('sample');
  samples.append(...SAMPLES.map((sample) => new Option(sample.name)));
  const chosen = () => SAMPLES.find((each) => each.name === samples.value) as Sample;
  const begin = () => {
    if (!chosen().finished) editor.suggest();
  };
  samples.addEventListener('change', () => {
    editor.open(chosen());
    canvas.forget();
    begin();
  });
  steps.addEventListener('input', () => {
    find('steps-shown').textContent = steps.value;
  });
  steps.addEventListener('change', () => {
    editor.suggest();
  });
  find('suggest').addEventListener('click', () => {
    editor.suggest();
  });
  const actions: [string, string, string][] = [
    ['fill', 'refactor.rewrite.infill.fill', 'There is no hole here: select what is to be filled'],
    ['fill-all', 'source.fillAll.infill', 'This file has no <fill> and no body that only holds a place'],
    ['docstring', 'refactor.rewrite.infill.docstring', 'The cursor is in no function that can have a docstring'],
    ['proofread', 'refactor.rewrite.infill.proofread', 'Select what is to be proofread'],
  ];
  for (const [id, kind, otherwise] of actions) {
    find(id).addEventListener('click', () => void editor.act(kind, otherwise));
  }
  panel(find('settings'), config, settings, (values) => {
    client.configure(values);
  });
  editor.open(chosen());
}

start().catch((fault: unknown) => {
  banner.textContent = `The page could not start: ${String(fault)}`;
  banner.hidden = false;
});
