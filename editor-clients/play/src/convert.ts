/** Between Monaco's places, counted from 1, and LSP's, counted from 0; both count UTF-16 units. */

import type * as lsp from './protocol';
import * as monaco from './monaco';

export function position(at: monaco.IPosition): lsp.Position {
  return { line: at.lineNumber - 1, character: at.column - 1 };
}

export function range(at: monaco.IRange): lsp.Range {
  return {
    start: { line: at.startLineNumber - 1, character: at.startColumn - 1 },
    end: { line: at.endLineNumber - 1, character: at.endColumn - 1 },
  };
}

export function toRange({ start, end }: lsp.Range): monaco.Range {
  return new monaco.Range(start.line + 1, start.character + 1, end.line + 1, end.character + 1);
}

const SEVERITIES = [
  monaco.MarkerSeverity.Error,
  monaco.MarkerSeverity.Warning,
  monaco.MarkerSeverity.Info,
  monaco.MarkerSeverity.Hint,
];

export function marker(diagnostic: lsp.Diagnostic): monaco.editor.IMarkerData {
  const at = toRange(diagnostic.range);
  return {
    startLineNumber: at.startLineNumber,
    startColumn: at.startColumn,
    endLineNumber: at.endLineNumber,
    endColumn: at.endColumn,
    message: diagnostic.message,
    source: diagnostic.source ?? '',
    severity: SEVERITIES[(diagnostic.severity ?? 1) - 1] ?? monaco.MarkerSeverity.Info,
  };
}

/** The edits of one document, of both forms that LSP has. */
export function edits(edit: lsp.WorkspaceEdit, uri: string): lsp.TextEdit[] {
  const versioned = (edit.documentChanges ?? []).filter((each) => each.textDocument.uri === uri);
  return [...(edit.changes?.[uri] ?? []), ...versioned.flatMap((each) => each.edits)];
}
