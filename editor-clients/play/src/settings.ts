/** The panel of settings, made from the server's own table. */

import type { Config, Setting } from './protocol';

type Values = Record<string, unknown>;

/** Fills the panel; `changed` gets all values that differ from the server's defaults. */
export function panel(parent: HTMLElement, config: Config, initial: Values, changed: (values: Values) => void): void {
  const values: Values = { ...initial };
  for (const [name, setting] of Object.entries(config.settings)) {
    if (!hasChoice(setting)) continue;
    const row = document.createElement('div');
    row.className = 'setting';
    const label = document.createElement('label');
    label.htmlFor = `setting-${name}`;
    label.textContent = `infill.${name}`;
    const help = document.createElement('p');
    help.id = `help-${name}`;
    help.append(...described(setting.description));
    const field = input(setting, values[name] ?? setting.default);
    field.id = label.htmlFor;
    field.setAttribute('aria-describedby', help.id);
    field.addEventListener('change', () => {
      if (!field.reportValidity()) return;
      values[name] = read(setting, field.value);
      const differs = JSON.stringify(values[name]) !== JSON.stringify(setting.default);
      row.classList.toggle('changed', differs);
      if (!differs) Reflect.deleteProperty(values, name);
      changed({ ...values });
    });
    row.classList.toggle('changed', values[name] !== undefined);
    row.append(label, field, help);
    parent.append(row);
  }
}

/** Some settings are reserved: they take one value only. */
function hasChoice({ schema }: Setting): boolean {
  return schema.maxLength !== 0 && schema.enum?.length !== 1;
}

function input({ schema }: Setting, value: unknown): HTMLInputElement | HTMLSelectElement {
  if (schema.enum) {
    const select = document.createElement('select');
    select.append(...schema.enum.map((each) => new Option(each)));
    select.value = String(value);
    return select;
  }
  const field = document.createElement('input');
  field.spellcheck = false;
  if (schema.type === 'integer' || schema.type === 'number') {
    field.type = 'number';
    field.required = true;
    field.step = schema.type === 'integer' ? '1' : 'any';
    if (schema.minimum !== undefined) field.min = String(schema.minimum);
    if (schema.maximum !== undefined) field.max = String(schema.maximum);
  } else if (schema.pattern) {
    field.pattern = schema.pattern;
  }
  if (schema.type === 'array') field.placeholder = 'a, b, ...';
  field.value = Array.isArray(value) ? value.join(', ') : String(value);
  return field;
}

function read({ schema }: Setting, text: string): unknown {
  if (schema.type === 'integer' || schema.type === 'number') return Number(text);
  if (schema.type !== 'array') return text;
  return text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);
}

/** Markdown of one line: only what stands between backticks is special. */
function described(markdown: string): (string | HTMLElement)[] {
  return markdown.split('`').map((part, i) => {
    if (i % 2 === 0) return part;
    const made = document.createElement('code');
    made.textContent = part;
    return made;
  });
}
