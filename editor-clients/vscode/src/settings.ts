/**
 * Which settings the server is sent, and which documents it gets. Knows nothing of VS Code but how a setting's
 * values are layered.
 *
 * The client vouches for all that it sends (`trusted` in the initialization options). So what could load a
 * model or send text away (`personal`) is read from the user's own settings and from nowhere else.
 */

import server from './server.json';

/** A setting's values by where they were set, as `WorkspaceConfiguration.inspect` gives them. */
export interface Layers {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

/** The section `infill` for the server: what somebody has set, by the server's own names. */
export function sent(
  inspect: (name: string) => Layers | undefined,
  trusted: boolean,
  restricted: ReadonlySet<string>,
): Record<string, unknown> {
  const section: Record<string, unknown> = {};
  for (const name of server.settings) {
    const layers = inspect(name) ?? {};
    const own = server.personal.includes(name) || (!trusted && restricted.has(name));
    const value = own
      ? layers.globalValue
      : (layers.workspaceFolderValue ?? layers.workspaceValue ?? layers.globalValue);
    if (value !== undefined && value !== null) section[name] = value;
  }
  return section;
}

/** What else a user may call a language, by every one of its names. */
const ids = new Map<string, string[]>();
for (const [id, aliases] of Object.entries(server.languages)) {
  const all = [id, ...aliases];
  for (const name of all) ids.set(name, all);
}

/** The setting `infill.languages` with a language of VS Code in it, or without it by any of its names. */
export function withLanguage(languages: readonly string[], id: string, on: boolean): string[] {
  const others = languages.filter((name) => !languageIds([name]).includes(id));
  return on ? [...others, id] : others;
}

/** The language ids of VS Code that the setting `infill.languages` means. */
export function languageIds(languages: unknown): string[] {
  const names = Array.isArray(languages) ? languages.filter((name) => typeof name === 'string') : [];
  return [...new Set(names.flatMap((name) => [name, ...(ids.get(name.toLowerCase()) ?? [])]))];
}
