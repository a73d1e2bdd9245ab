/**
 * Where the language server is. Looks in an order and says what to do where there is none. Knows nothing of VS
 * Code; whatever touches the machine is passed in.
 */

export const OLDEST = [3, 11] as const;

export interface Launch {
  command: string;
  args: string[];
  /** Where it was found, for a person. */
  source: string;
}

/** What a Python says of itself; `server` is the version of infill-ls in it, if it has one. */
export interface Python {
  path: string;
  version: readonly [number, number];
  server?: string;
}

export interface Machine {
  /** The settings, empty where not set. */
  serverPath: string;
  pythonPath: string;
  /** The interpreter that the Python extension would use, if it is there and the workspace is trusted. */
  activePython(): Promise<string | undefined>;
  /** The Python in this extension's own folder. */
  ownPython: string;
  /** A program's full path: of a path itself if it can be run, of a name by the PATH. */
  which(program: string): Promise<string | undefined>;
  /** Undefined where the program is no Python. */
  ask(python: string): Promise<Python | undefined>;
}

/** Why there is no server, in one line that names the remedy. */
export class Missing {
  constructor(
    readonly message: string,
    /** Whether installing one into the extension's folder would help. */
    readonly installable: boolean,
  ) {}
}

export async function discover(machine: Machine): Promise<Launch | Missing> {
  if (machine.serverPath) {
    const path = await machine.which(machine.serverPath);
    return path
      ? { command: path, args: ['serve'], source: 'infill.serverPath' }
      : new Missing(`infill.serverPath: ${machine.serverPath} is no program; correct it or leave it empty`, false);
  }
  if (machine.pythonPath) {
    const problem = await unfit(machine, machine.pythonPath);
    if (problem) return new Missing(problem.message, problem.installable);
    return module(machine.pythonPath, 'infill.pythonPath');
  }
  const active = await machine.activePython();
  if (active && !(await unfit(machine, active))) return module(active, "the Python extension's environment");
  if ((await machine.which(machine.ownPython)) && !(await unfit(machine, machine.ownPython))) {
    return module(machine.ownPython, "the extension's own environment");
  }
  const onPath = await machine.which('infill-ls');
  if (onPath) return { command: onPath, args: ['serve'], source: 'PATH' };
  return new Missing('the language server is not installed; install it, or set infill.serverPath', true);
}

function module(python: string, source: string): Launch {
  return { command: python, args: ['-m', 'lsp_server', 'serve'], source };
}

/** Why this Python cannot run the server, if it cannot. */
async function unfit(machine: Machine, path: string): Promise<Missing | undefined> {
  const python = await machine.ask(path);
  if (!python) return new Missing(`infill.pythonPath: ${path} is no Python; correct it or leave it empty`, false);
  if (isOld(python)) return new Missing(tooOld(python), false);
  if (!python.server) {
    return new Missing(
      `${path} has no infill-ls; let VS Code install one, or do it yourself as the project's docs/install.md says`,
      true,
    );
  }
  return undefined;
}

/** What a program did when it was asked for its version. */
export interface Answer {
  code: number | string;
  printed: string;
}

/** Why a program cannot be the server, if it does not say that it is infill-ls; one line. */
export function foreign(program: string, { code, printed }: Answer): string | undefined {
  if (/^infill-ls\b/.test(printed)) return undefined;
  const line = printed.trim().split(/\r?\n/)[0]?.slice(0, 200);
  return `this program is not infill-ls: ${program} ended with ${code} and ${line ? `printed: ${line}` : 'printed nothing'}`;
}

export function isOld(python: Python): boolean {
  const [major, minor] = python.version;
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

function tooOld(python: Python): string {
  return `${python.path} is Python ${python.version.join('.')}, and infill-ls needs ${OLDEST.join('.')} or later`;
}

/** The Python that an environment can be made with. */
export async function basePython(machine: Machine, windows: boolean): Promise<Python | Missing> {
  const newest = [14, 13, 12, 11].map((minor) => `python3.${minor}`);
  const names = machine.pythonPath
    ? [machine.pythonPath]
    : ['python3', 'python', ...newest, ...(windows ? ['py'] : [])];
  const active = await machine.activePython();
  let old: Python | undefined;
  for (const name of [...names, ...(active && !machine.pythonPath ? [active] : [])]) {
    const path = await machine.which(name);
    const python = path ? await machine.ask(path) : undefined;
    if (python && !isOld(python)) return python;
    old ??= python;
  }
  const found = old ? tooOld(old) : 'no Python was found';
  return new Missing(`${found}: install Python ${OLDEST.join('.')} or later, or set infill.pythonPath`, false);
}

/** What a Python is asked, and how its answer is read: version, own path, version of infill-ls. */
export const QUESTION = `
import sys
print(*sys.version_info[:2])
print(sys.executable)
try:
    import importlib.metadata
    print(importlib.metadata.version("infill-ls"))
except Exception:
    pass
`;

export function read(answer: string): Python | undefined {
  const [version = '', path, server] = answer.split(/\r?\n/).map((line) => line.trim());
  const numbers = /^(\d+) (\d+)$/.exec(version);
  if (!numbers || !path) return undefined;
  return { path, version: [Number(numbers[1]), Number(numbers[2])], ...(server ? { server } : {}) };
}
