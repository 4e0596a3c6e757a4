// One Chromium that opens pages and does with each what it is told, until its input ends.
// In: a line of JSON for each with `file`, `width`, `height`, `dark`, and `steps`: [what, …] of `does`.
// Out: a line of JSON for each with what every "tell" gave, and `wrong`: errors, violations of the page's policy, dialogs, requests that left it.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const root = process.argv[2];
process.env.AWS_LAMBDA_JS_RUNTIME = "nodejs22.x"; // Its package then brings the libraries and fonts that a machine may lack.
const { default: packed } = await import(pathToFileURL(`${root}/node_modules/@sparticuz/chromium/build/esm/index.js`));
const { chromium } = createRequire(`${root}/`)("playwright-core");
const browser = await chromium.launch({ executablePath: await packed.executablePath(), args: ["--no-sandbox", "--disable-background-networking"] });

async function browse(given) {
  const wrong = [];
  const told = {};
  const context = await browser.newContext({ viewport: { width: given.width ?? 1240, height: given.height ?? 900 }, colorScheme: given.dark ? "dark" : "light" });
  await context.exposeFunction("violated", (what) => wrong.push(`policy: ${what}`));
  await context.addInitScript(() => addEventListener("securitypolicyviolation", (event) => window.violated(`${event.violatedDirective} ${event.sourceFile}`)));
  const page = await context.newPage();
  const address = pathToFileURL(given.file).href;
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => request.url().split("#")[0] !== address && wrong.push(`request: ${request.url()}`));
  page.setDefaultTimeout(20000);
  const does = {
    click: (target) => page.click(target),
    fill: (target, text) => page.fill(target, text),
    check: (target) => page.check(target),
    choose: (target, value) => page.selectOption(target, value),
    press: (key) => page.keyboard.press(key),
    wait: async (condition) => {
      // `waitForFunction` makes a script of its own in the page, which the page's policy refuses.
      for (const end = Date.now() + 20000; !(await page.evaluate(condition)); await page.waitForTimeout(20)) {
        if (Date.now() > end) throw new Error(`it never came: ${condition}`);
      }
    },
    tell: async (name, expression) => (told[name] = await page.evaluate(expression)),
    picture: (path) => page.screenshot({ path }),
  };
  try {
    await page.goto(address + (given.place ?? ""));
    for (const [what, ...rest] of given.steps) await does[what](...rest);
  } catch (error) {
    wrong.push(String(error));
  }
  await context.close();
  return { ...told, wrong };
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await browse(JSON.parse(line))));
await browser.close();
