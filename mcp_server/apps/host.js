// The host's side of MCP Apps: JSON-RPC with the window around us. Nothing that arrives is ever made markup of.
const host = (() => {
  let last = 0;
  const waiting = new Map();
  const heard = new Map();
  const send = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const ask = (method, params) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      send({ id: last, method, params });
    });
  const themed = (context) => {
    if (context?.theme === "light" || context?.theme === "dark") document.documentElement.dataset.theme = context.theme;
  };
  window.addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== window.parent || message?.jsonrpc !== "2.0") return;
    if (message.method === undefined) {
      const { resolve, reject } = waiting.get(message.id) ?? {};
      waiting.delete(message.id);
      if (message.error) reject?.(new Error(String(message.error.message)));
      else resolve?.(message.result);
      return;
    }
    if (message.method === "ui/notifications/host-context-changed") themed(message.params);
    heard.get(message.method)?.(message.params ?? {});
    if (message.id !== undefined) send({ id: message.id, result: {} });
  });
  const grown = () =>
    send({ method: "ui/notifications/size-changed", params: { height: Math.ceil(document.documentElement.scrollHeight) } });
  return {
    on: (method, tell) => heard.set(`ui/notifications/${method}`, tell),
    call: (name, given) => ask("tools/call", { name, arguments: given }),
    read: (uri) => ask("resources/read", { uri }),
    tell: (text) => ask("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => undefined),
    // Whether the host lets us call tools and read resources; null where it does not answer.
    begin: async (name) => {
      const about = { appInfo: { name, version: "1" }, appCapabilities: {}, protocolVersion: "2026-01-26" };
      const met = await ask("ui/initialize", about).catch(() => null);
      themed(met?.hostContext);
      send({ method: "ui/notifications/initialized", params: {} });
      if (window.ResizeObserver) new ResizeObserver(grown).observe(document.body);
      return met?.hostCapabilities ?? null;
    },
  };
})();

// An element with attributes and children; children that are no elements are text.
function make(tag, attributes = {}, ...children) {
  const drawn = ["svg", "g", "rect", "line", "text", "title", "circle"].includes(tag);
  const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.map((each) => (each instanceof Node ? each : String(each ?? ""))));
  return element;
}
