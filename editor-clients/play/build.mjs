// Bundles the page into lsp_server/play/static, and writes there what it was made of: sources.json holds a
// hash of every input and output, which tests/lsp_server/play/test_bundle.py compares with the files.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const target = join(root, 'lsp_server/play/static');
const monaco = join(here, 'node_modules/monaco-editor');

// Parts of Monaco that others import and this page never shows, replaced by functions that do nothing.
const UNUSED =
  /monaco-editor.*(diffEditor.diffEditorWidget|stickyScroll.browser.stickyScrollController|dropOrPasteInto.browser.copyPasteController|rename.browser.rename)\.js$/;
const stubs = {
  name: 'stubs',
  setup(building) {
    building.onLoad({ filter: UNUSED }, ({ path }) => {
      const names = [...readFileSync(path, 'utf8').matchAll(/^export \{([^}]*)\};?$/gm)]
        .flatMap((found) => found[1].split(','))
        .map((name) => name.trim().split(' as ').at(-1));
      return { contents: names.map((name) => `export function ${name}() {}\n${name}.get = () => null;`).join('\n') };
    });
  },
};

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { play: 'src/main.ts' },
  outdir: target,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  assetNames: '[name]',
  loader: { '.ttf': 'file', '.py': 'text', '.txt': 'text' },
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [stubs],
});
copyFileSync(join(here, 'src/index.html'), join(target, 'index.html'));
const [own, others, purify] = [
  join(monaco, 'LICENSE'),
  join(monaco, 'ThirdPartyNotices.txt'),
  join(here, 'node_modules/dompurify/LICENSE'),
].map((path) => readFileSync(path, 'utf8'));
writeFileSync(
  join(target, 'LICENSES.txt'),
  `play.js and play.css hold parts of monaco-editor and codicon.ttf is its font, under these terms:\n\n${own}\n\n${others}\n\nmonaco-editor holds DOMPurify, which its notices do not name, under these terms:\n\n${purify}`,
);

const listed = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
const hashes = (files) =>
  Object.fromEntries(
    files
      .map((file) => [
        relative(root, file).replaceAll('\\', '/'),
        createHash('sha256').update(readFileSync(file)).digest('hex'),
      ])
      .sort(),
  );
const inputs = [
  ...listed(join(here, 'src')),
  ...listed(join(here, 'samples')),
  ...['build.mjs', 'package.json', 'package-lock.json', 'tsconfig.json'].map((name) => join(here, name)),
  join(root, 'examples/inventory.py'),
];
const made = { inputs: hashes(inputs), outputs: hashes(listed(target)) };
writeFileSync(join(target, 'sources.json'), `${JSON.stringify(made, null, 2)}\n`);
