// Builds the language server's wheel out of this checkout into server/, from where the extension installs it.
// Takes $PYTHON, else the checkout's .venv, else python3; pip fetches the build backend.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const client = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const root = resolve(client, '..', '..');
const server = join(client, 'server');
const venv = join(root, '.venv', 'bin', 'python');
const python = process.env.PYTHON ?? (existsSync(venv) ? venv : 'python3');

rmSync(server, { recursive: true, force: true });
mkdirSync(server);
const pip = ['-m', 'pip', 'wheel', '--quiet', '--disable-pip-version-check', '--no-deps', '--wheel-dir', server, root];
const { status, error } = spawnSync(python, pip, { stdio: 'inherit' });
if (status !== 0) {
  console.error(`the server's wheel was not built: ${error?.message ?? `${python} -m pip wheel failed`}`);
  process.exit(1);
}
copyFileSync(join(root, 'constraints.txt'), join(server, 'constraints.txt'));
