// Bundles the extension into dist/extension.js, or with --tests the unit tests into out/.
import { readdirSync } from 'node:fs';
import { build, context } from 'esbuild';

const tests = process.argv.includes('--tests');
const options = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
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
else await build(options);
