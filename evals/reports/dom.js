"use strict";
// Owns the page's data and how elements are made: whatever was said becomes text nodes and attributes, never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const { now, before } = data;
/** A value by a name from outside, which may be that of something every object has. */
const own = (object, name) => (object && Object.hasOwn(object, name) ? object[name] : undefined);
const names = now.run.contenders.filter((name) => own(now.contenders, name));

/** An element; children are elements or text. `on…` are listeners. */
function make(tag, given, ...children) {
  const svg = ["svg", "g", "line", "rect", "circle", "text", "title", "path"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(given ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return element;
}
const byId = (id) => document.getElementById(id);
const fill = (element, ...children) => (element.replaceChildren(...children.flat().filter(Boolean)), element);

const percent = (rate) => (rate === undefined || rate === null ? "–" : `${(100 * rate).toFixed(1)}%`);
const number = (value) => value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 1 });
function money(dollars) {
  if (!dollars || dollars >= 0.1) return `$${dollars.toFixed(2)}`;
  return dollars >= 1e-6 ? `$${Number(dollars.toPrecision(2)).toFixed(Math.min(9, 1 - Math.floor(Math.log10(dollars))))}` : `$${dollars.toExponential(1)}`;
}
const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** A long text, cut until asked for. */
const LONG = 4000;
function text(said, tag = "p", given = {}) {
  if (said.length <= LONG) return make(tag, given, said);
  const element = make(tag, given, `${said.slice(0, LONG)}… `);
  const rest = () => fill(element, said);
  element.append(make("button", { type: "button", class: "link", onclick: rest }, `Show all ${said.length.toLocaleString("en")} characters`));
  return element;
}

/** Attempts by case and contender, as they are shown: `{by: Map, why}` for each case of a run. */
function gathered(run) {
  const found = new Map();
  for (const row of run?.rows ?? []) {
    const one = found.get(row.case) ?? { by: new Map(), why: "" };
    found.set(row.case, one);
    one.by.set(row.contender, [...(one.by.get(row.contender) ?? []), row]);
    if (!row.solved && !one.why) one.why = why(row);
  }
  return found;
}
function why(row) {
  if (row.solved) return "";
  const unmet = row.checks.filter((each) => !each.met).map((each) => `${each.kind ?? ""} ${each.what ?? ""}: ${each.why ?? ""}`);
  return row.error || unmet.join("; ");
}
const share = (rows) => (rows?.length ? rows.filter((row) => row.solved).length / rows.length : null);
/** `✓ 2/2`, `✗ 0/2`, `◐ 1/2`, with the words for those who do not see it. */
function mark(rows) {
  const part = share(rows);
  if (part === null) return { sign: "–", counted: "", word: "not played", kind: "none" };
  const [sign, word, kind] = part === 1 ? ["✓", "solved", "all"] : part === 0 ? ["✗", "not solved", "no"] : ["◐", "solved at times", "some"];
  const solved = rows.filter((row) => row.solved).length;
  return { sign, word, kind, counted: rows.length > 1 ? `${solved}/${rows.length}` : "" };
}

/** Appends what `rows` gives, a piece at a time, as one comes near the end. */
const PIECE = 100;
const watcher = new IntersectionObserver((seen) => seen.filter((each) => each.isIntersecting).forEach((each) => each.target.more()), { rootMargin: "600px" });
function lazily(body, rows, shown) {
  let at = 0;
  const end = make("tr", { "aria-hidden": "true" });
  end.more = () => {
    watcher.unobserve(end);
    end.before(...rows.slice(at, at + PIECE).map(shown));
    at += PIECE;
    if (at < rows.length) requestAnimationFrame(() => watcher.observe(end));
    else end.remove();
  };
  fill(body, end);
  end.more();
}
