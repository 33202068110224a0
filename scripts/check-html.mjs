// See check-html.sh. Exits with 1 where a page breaks one of its promises.
import { chromium } from 'playwright-core';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const quiet = ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: [...quiet, ...sandbox] });
let broken = 0;

function check(file, holds, promise) {
  if (!holds) { broken += 1; console.error(`${file}: ${promise}`); }
}

async function open(file, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const heard = [];
  page.on('console', (message) => heard.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => heard.push(`error: ${error.message}`));
  page.on('request', (request) => { if (!request.url().startsWith('file:')) heard.push(`request: ${request.url()}`); });
  await page.goto(`file://${resolve(file)}`);
  return { context, page, heard };
}

/** Runs in the page: everything folded opened, then what sticks out. */
function overflows() {
  document.querySelectorAll('details').forEach((d) => { d.open = true; });
  const out = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) out.push(`the page is ${wide} px too wide`);
  for (const svg of document.querySelectorAll('svg')) {
    const box = svg.viewBox.baseVal;
    for (const text of svg.querySelectorAll('text')) {
      const b = text.getBBox();
      if (b.x < -1 || b.y < -1 || b.x + b.width > box.width + 1 || b.y + b.height > box.height + 1) out.push(`text leaves its drawing: ${text.textContent}`);
    }
    if (!svg.querySelector('title')?.textContent || svg.getAttribute('role') !== 'img') out.push('a drawing without a title');
  }
  // Tables may scroll in their own box; a picture is drawn again for a narrow screen.
  for (const box of document.querySelectorAll('.scroll')) {
    const drawing = box.querySelector('svg');
    if (drawing && box.checkVisibility() && box.scrollWidth > box.clientWidth) out.push(`a drawing scrolls sideways: ${drawing.querySelector('title')?.textContent}`);
  }
  return out;
}

/** Runs in the page: the first screen. */
function belowFold(height) {
  const shown = [...document.querySelectorAll('.verdicts li, #first ~ article')].filter((e) => e.getBoundingClientRect().bottom > height);
  return shown.map((e) => e.textContent.trim().replace(/\s+/g, ' ').slice(0, 60));
}

/** Tab by tab to the end of the page: everything that can be acted on is reached, in order, and seen. */
async function walk(file, page) {
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter((e) => e.checkVisibility());
    all.forEach((e, index) => { e.dataset.stop = index; });
    return all.length;
  });
  const met = new Set();
  for (let presses = 0; presses < wanted + 5; presses += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      return { stop: e.dataset?.stop, name: e.textContent.trim().slice(0, 40) || e.getAttribute('aria-label'), outlined: style.outlineStyle !== 'none', left: e.getBoundingClientRect().left };
    });
    if (stop.stop === undefined) break;
    met.add(stop.stop);
    check(file, stop.outlined, `focus cannot be seen on: ${stop.name}`);
    check(file, stop.left >= 0, `focus is off the page on: ${stop.name}`);
  }
  check(file, met.size === wanted, `${met.size} of ${wanted} stops reached with Tab`);
  const folded = page.locator('details:not([open]) > summary').first();
  if (await folded.count()) {
    await folded.focus();
    await page.keyboard.press('Enter');
    check(file, await page.evaluate(() => document.activeElement.parentElement.open), 'Enter does not unfold');
  }
  return met.size;
}

for (const file of process.argv.slice(2)) {
  const size = statSync(file).size;
  check(file, size < 1024 * 1024, `${size} bytes, over 1 MB`);
  let stops = 0;
  let rules = 0;
  for (const colorScheme of ['dark', 'light']) {
    for (const width of [400, 1400]) {
      const { context, page, heard } = await open(file, { colorScheme, viewport: { width, height: 900 } });
      if (width === 1400) for (const text of await page.evaluate(belowFold, 900)) check(file, false, `not on the first screen: ${text}`);
      stops = await walk(file, page);
      for (const problem of await page.evaluate(overflows)) check(file, false, `${width} px: ${problem}`);
      await page.evaluate(axe);
      const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] }));
      rules = found.passes.length;
      for (const v of found.violations) check(file, false, `${width} px ${colorScheme}: ${v.id}: ${v.help} (${v.nodes.length}×, ${v.nodes[0].html.slice(0, 120)})`);
      for (const line of heard) check(file, false, line);
      await context.close();
    }
  }
  const { context, page } = await open(file, { javaScriptEnabled: false, viewport: { width: 1400, height: 900 } });
  await page.emulateMedia({ media: 'print' });
  check(file, (await page.locator('h1').innerText()).length > 0, 'nothing without JavaScript');
  const pdf = await page.pdf({ format: 'A4' });
  await context.close();
  console.log(`${file}: ${size} bytes, ${stops} keyboard stops, ${rules} accessibility rules, ${Math.round(pdf.length / 1024)} KiB in print`);
}
await browser.close();
process.exit(broken ? 1 : 0);
