/** Text edits as LSP has them, and the text after them. UTF-16 throughout, as in JavaScript. */

export interface Position {
  line: number;
  character: number;
}

export interface TextEdit {
  range: { start: Position; end: Position };
  newText: string;
}

export function applied(text: string, edits: readonly TextEdit[]): string {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length);
  const offset = ({ line, character }: Position) => Math.min((starts[line] ?? text.length) + character, text.length);
  return [...edits]
    .sort((a, b) => offset(b.range.start) - offset(a.range.start))
    .reduce(
      (now, { range, newText }) => now.slice(0, offset(range.start)) + newText + now.slice(offset(range.end)),
      text,
    );
}

/** The parts of a workspace edit that concern one document, and its version; as the server makes them. */
export interface WorkspaceEdit {
  changes?: Record<string, TextEdit[]>;
  changeAnnotations?: Record<string, { needsConfirmation?: boolean }>;
  documentChanges?: { textDocument: { uri: string; version: number | null }; edits: TextEdit[] }[];
}

/** Whether the server wants the user to look at it first. */
export function needsConfirmation({ changeAnnotations }: WorkspaceEdit): boolean {
  return Object.values(changeAnnotations ?? {}).some((each) => each.needsConfirmation);
}

export function ofDocument(edit: WorkspaceEdit): { version?: number; edits: TextEdit[] } {
  const change = edit.documentChanges?.[0];
  if (!change) return { edits: Object.values(edit.changes ?? {})[0] ?? [] };
  const { version } = change.textDocument;
  return version === null ? { edits: change.edits } : { version, edits: change.edits };
}
