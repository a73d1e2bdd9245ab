// A VS Code in a browser, or a browser alone, driven over standard input and output: one JSON object a line.
//   node driver.mjs CONFIG      CONFIG: {playwright, chromium, work}, for VS Code also {codeServer, port}
// Prints {"ready": true} when code-server answers and the browser is up; then answers each
// {"id", "do", "args"} with {"id", "result"} or {"id", "error"}. Ends, with all that it started, at the end of its input.
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { chromium } = createRequire(join(config.playwright, 'package.json'))('playwright-core');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const log = openSync(join(config.work, 'code-server.log'), 'a');

let server; // a browser alone is also of use
if (config.codeServer) {
  server = spawn(
    process.execPath,
    [
      config.codeServer,
      ...['--config', join(config.work, 'config.yaml'), '--auth', 'none', '--bind-addr', `127.0.0.1:${config.port}`],
      ...['--user-data-dir', join(config.work, 'data'), '--extensions-dir', join(config.work, 'extensions')],
      ...['--disable-telemetry', '--disable-update-check', '--disable-getting-started-override', '--ignore-last-opened'],
      '--disable-workspace-trust',
    ],
    {
      env: { ...process.env, XDG_DATA_HOME: config.work, XDG_CONFIG_HOME: config.work, XDG_CACHE_HOME: config.work },
      stdio: ['ignore', log, log],
    },
  );

  const answers = () =>
    new Promise((resolve) => {
      get({ host: '127.0.0.1', port: config.port, path: '/healthz' }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      }).on('error', () => resolve(false));
    });
  while (!(await answers())) {
    if (server.exitCode !== null) throw new Error(`code-server ended with ${server.exitCode}`);
    await sleep(100);
  }
}

const browser = await chromium.launch({
  executablePath: config.chromium,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--in-process-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
const pages = [];
const faults = [];
let page;

const actions = {
  /** Opens a folder and a file in a window of its own; that window is the current one. */
  async window(folder, file) {
    page = await (await browser.newContext({ viewport: { width: 1100, height: 700 } })).newPage();
    pages.push(page);
    const payload = file ? [['openFile', `vscode-remote://127.0.0.1:${config.port}${file}`]] : [];
    const query = new URLSearchParams({ folder, payload: JSON.stringify(payload) });
    await page.goto(`http://127.0.0.1:${config.port}/?${query}`);
    await page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
  },
  /** Opens any page; what it logs as an error is kept. `look` is what Playwright calls a context's options. */
  async open(url, look) {
    page = await (await browser.newContext({ viewport: { width: 1100, height: 700 }, ...look })).newPage();
    pages.push(page);
    page.on('pageerror', (fault) => faults.push(String(fault)));
    page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));
    await page.goto(url);
  },
  faults: () => faults.splice(0),
  select: (selector, value) => page.selectOption(selector, value),
  fill: (selector, value) => page.fill(selector, value),
  async current(index) {
    page = pages.at(index);
  },
  async closeWindow() {
    await pages.pop().context().close();
    page = pages.at(-1);
  },
  press: (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve()),
  type: (text, delay = 0) => page.keyboard.type(text, { delay }),
  /** All at once, as by pasting. */
  insert: (text) => page.keyboard.insertText(text),
  click: (selector, timeout = 10_000) => page.click(selector, { timeout }),
  evaluate: (code) => page.evaluate(code),
  async wait(code, timeout = 15_000) {
    return (await page.waitForFunction(code, undefined, { timeout })).jsonValue();
  },
  screenshot: (path) => page.screenshot({ path }).then(() => path),
};

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, args } = JSON.parse(line);
  try {
    say({ id, result: (await actions[name](...args)) ?? null });
  } catch (fault) {
    say({ id, error: String(fault?.message ?? fault) });
  }
}
await browser.close();
server?.kill();
