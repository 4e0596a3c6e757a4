// A host of MCP Apps in a DOM: shows a document, gives it a tool's input and result, answers what it asks, clicks what it is told.
// In: JSON with `document`, `input`, `result`, `answers` (by method and name or address), `click` (labels of buttons, in order).
// Out: JSON with `text`, `tags` (what elements there are), `asked`, `labels`, `pwned`, `errors`.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { JSDOM, VirtualConsole } = createRequire(`${process.argv[2]}/`)("jsdom");
const given = JSON.parse(readFileSync(0, "utf8"));
const asked = [];
const errors = [];
const console_ = new VirtualConsole();
console_.on("jsdomError", (error) => errors.push(String(error)));
const settled = () => new Promise((resolve) => setTimeout(resolve, 30));

const dom = new JSDOM(given.document, {
  runScripts: "dangerously",
  virtualConsole: console_,
  beforeParse(window) {
    const say = (message) => window.dispatchEvent(new window.MessageEvent("message", { data: { jsonrpc: "2.0", ...message }, source: window }));
    window.postMessage = (message) => {
      if (message.method === undefined) return;
      asked.push(message);
      setTimeout(() => {
        if (message.method === "ui/initialize") {
          say({ id: message.id, result: { hostCapabilities: { serverTools: {}, serverResources: {} }, hostContext: { theme: "dark" } } });
        } else if (message.method === "ui/notifications/initialized") {
          say({ method: "ui/notifications/tool-input", params: { arguments: given.input } });
          say({ method: "ui/notifications/tool-result", params: given.result });
        } else if (message.id !== undefined) {
          const result = given.answers[`${message.method} ${message.params.name ?? message.params.uri ?? ""}`.trim()];
          say(result ? { id: message.id, result } : { id: message.id, error: { code: -32601, message: "not answered" } });
        }
      }, 0);
    };
  },
});
const { document } = dom.window;
await settled();
await settled();
for (const label of given.click ?? []) {
  [...document.querySelectorAll("button")].find((each) => each.textContent === label).click();
  await settled();
  await settled();
}
const tags = {};
for (const each of document.querySelectorAll("main *")) tags[each.tagName.toLowerCase()] = (tags[each.tagName.toLowerCase()] ?? 0) + 1;
process.stdout.write(
  JSON.stringify({
    text: document.querySelector("main").textContent,
    tags,
    asked: asked.map(({ method, params }) => [method, params]),
    labels: [...document.querySelectorAll("[aria-label]")].map((each) => each.getAttribute("aria-label")),
    theme: document.documentElement.dataset.theme,
    pwned: [dom.window.pwned ?? null, document.title],
    errors,
  }),
);
