/** What of LSP and of the server's own messages (docs/protocol.md) the page uses, as they are on the wire. */

export interface Position {
  line: number;
  character: number;
}
export interface Range {
  start: Position;
  end: Position;
}
export interface TextEdit {
  range: Range;
  newText: string;
}
export interface Diagnostic {
  range: Range;
  message: string;
  severity?: number;
  source?: string;
  code?: string | number;
  data?: unknown;
}
export interface Command {
  title: string;
  command: string;
  arguments?: unknown[];
}
export interface InlineItem {
  insertText: string;
  range?: Range;
  command?: Command;
}
export interface WorkspaceEdit {
  changes?: Record<string, TextEdit[]>;
  documentChanges?: { textDocument: { uri: string; version: number | null }; edits: TextEdit[] }[];
}
export interface CodeAction {
  title: string;
  kind?: string;
  diagnostics?: Diagnostic[];
  edit?: WorkspaceEdit;
  command?: Command;
  data?: unknown;
}

/** The arguments of an item's command `infill.accepted`. */
export interface Accepted {
  uri: string;
  confidence: number;
  sources: string[];
}
export interface Status {
  state: 'idle' | 'loading' | 'busy' | 'degraded' | 'stopped';
  message: string;
  progress?: number;
  latency?: number;
}
export interface Token {
  text: string;
  before: string;
  state: 'pinned' | 'accepted' | 'noise';
  logprob: number;
}
export interface Draft {
  uri: string;
  version: number;
  position: Position;
  step: number;
  texts: string[];
  tokens: Token[];
}
export interface Refused {
  uri: string;
  position: Position;
  reason: string;
  message: string;
}

/** What the page is told by the process that serves it, as config.json. */
export interface Config {
  version: string;
  languages: string[]; // those with a grammar
  given: Record<string, unknown>; // settings from the command line
  settings: Record<string, Setting>;
}
export interface Setting {
  description: string; // one line of Markdown
  default: unknown;
  schema: {
    type: 'string' | 'integer' | 'number' | 'array';
    enum?: string[];
    minimum?: number;
    maximum?: number;
    maxLength?: number;
    pattern?: string;
  };
}
