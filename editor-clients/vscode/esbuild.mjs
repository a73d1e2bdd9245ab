// Bundles the extension into dist/extension.js, with the licences of what goes in beside it in dist/LICENSES.txt, or
// with --tests the unit tests into out/.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, context } from 'esbuild';

const tests = process.argv.includes('--tests');
const options = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  metafile: true,
  ...(tests
    ? {
        entryPoints: readdirSync('test').map((name) => `test/${name}`),
        outdir: 'out',
        format: 'esm',
        outExtension: { '.js': '.mjs' },
      }
    : {
        entryPoints: ['src/extension.ts'],
        outfile: 'dist/extension.js',
        format: 'cjs',
        external: ['vscode'],
        minify: process.argv.includes('--minify'),
        sourcemap: process.argv.includes('--minify') ? false : 'linked',
      }),
};
if (process.argv.includes('--watch')) await (await context(options)).watch();
else {
  const { metafile } = await build(options);
  if (!tests) writeFileSync('dist/LICENSES.txt', licences(metafile));
}

/** Of the packages that were bundled. Throws where one has none. */
function licences({ inputs }) {
  const found = Object.keys(inputs).map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const folders = [...new Set(found)].filter(Boolean).sort();
  const texts = folders.map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (!file) throw new Error(`${folder} has no licence`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return `extension.js holds parts of these packages, under these terms:\n\n${texts.join('\n\n')}`;
}
