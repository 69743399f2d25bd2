/** The API's description, to read and to try out, drawn from /openapi.json. */

import { make } from "./element.js";

const KEY = "retint-key"; // where the page has it, too
const SHOWN = 200_000; // characters of an answer
const TOLD = ["content-type", "location", "retint-receipt", "retry-after", "x-request-id"];

/** A schema itself in place of a reference to it, and without the null that only means it may be left out. */
function resolved(schema, document) {
  if (schema.$ref) return resolved(document.components.schemas[schema.$ref.split("/").pop()], document);
  const kinds = schema.anyOf?.filter((kind) => kind.type !== "null");
  return kinds?.length === 1 ? { ...schema, anyOf: undefined, ...resolved(kinds[0], document) } : schema;
}

/** What may be filled in for an operation: {name, place, needed, about, schema}. */
function fieldsOf(operation, document) {
  const fields = (operation.parameters ?? []).map((given) => ({
    name: given.name, place: given.in, needed: given.required, about: given.description,
    schema: resolved(given.schema, document),
  }));
  const body = operation.requestBody?.content["multipart/form-data"];
  if (!body) return fields;
  const form = resolved(body.schema, document);
  for (const [name, given] of Object.entries(form.properties)) {
    const schema = resolved(given, document);
    const needed = form.required?.includes(name) ?? false;
    fields.push({ name, place: "form", needed, about: given.description, schema });
  }
  return fields;
}

const isFile = (schema) => schema.contentMediaType !== undefined || schema.format === "binary";

function inputFor({ name, needed, schema }, id) {
  const choices = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  if (choices) {
    const none = make("option", { value: "", textContent: schema.default === undefined ? "" : `${schema.default}, unless said` });
    return make("select", { id, name, required: needed }, none, ...choices.map((value) => make("option", { value, textContent: value })));
  }
  const files = schema.type === "array" && isFile(schema.items ?? {});
  if (files || isFile(schema)) return make("input", { id, name, required: needed, type: "file", multiple: files });
  const isNumber = schema.type === "integer" || schema.type === "number";
  const number = isNumber ? { type: "number", step: schema.type === "integer" ? "1" : "any", min: schema.minimum ?? "", max: schema.maximum ?? "" } : { type: "text" };
  return make("input", { id, name, required: needed, placeholder: String(schema.default ?? ""), autocomplete: "off", ...number });
}

/** What a schema demands, in words. */
function demands({ needed, schema, place }) {
  const range = schema.minimum === undefined && schema.maximum === undefined ? "" : `${schema.minimum ?? ""} to ${schema.maximum ?? ""}`;
  const where = place === "form" ? "" : place;
  return [needed ? "needed" : "", where, range].filter(Boolean).join(", ");
}

function fieldView(field, id) {
  const label = make("label", { htmlFor: id }, make("code", { textContent: field.name }));
  const note = [field.about, demands(field)].filter(Boolean).join(" — ");
  return make("div", { className: "field" }, label, inputFor(field, id), make("p", { className: "note", textContent: note }));
}

/** The fields that were filled in, as {name, place, values}; values are texts or files. */
function filled(form, fields) {
  return fields
    .map(({ name, place }) => {
      const input = form.elements[name];
      const values = input.type === "file" ? [...input.files] : input.value === "" ? [] : [input.value];
      return { name, place, values };
    })
    .filter(({ values }) => values.length);
}

/** A request as fetch takes it: [path relative to this page's folder, options]. */
function requestOf(path, method, given) {
  const at = (place) => given.filter((field) => field.place === place);
  for (const { name, values } of at("path")) path = path.replace(`{${name}}`, encodeURIComponent(values[0]));
  const query = new URLSearchParams(at("query").map(({ name, values }) => [name, values[0]]));
  const headers = Object.fromEntries(at("header").map(({ name, values }) => [name, values[0]]));
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  const options = { method: method.toUpperCase(), headers };
  if (at("form").length) {
    options.body = new FormData();
    for (const { name, values } of at("form")) values.forEach((value) => options.body.append(name, value));
  }
  return [path.slice(1) + (query.size ? `?${query}` : ""), options];
}

const quoted = (word) => (/^[\w./:@=?&-]+$/.test(word) && !/[?&]/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The same request as a line for a terminal; a key stands there by a name alone. */
function curlLine([path, { method, headers, body }], { streams, binary }) {
  const words = ["curl", streams ? "-sN" : "-s"];
  if (method !== (body ? "POST" : "GET")) words.push("-X", method);
  for (const [name, value] of Object.entries(headers)) {
    if (name !== "Authorization") words.push("-H", quoted(`${name}: ${value}`));
  }
  let line = words.join(" ");
  if (headers.Authorization) line += ' -H "Authorization: Bearer $KEY"';
  for (const [name, value] of body ?? []) line += ` -F ${quoted(`${name}=${value instanceof File ? `@${value.name}` : value}`)}`;
  if (binary) line += " -o answer";
  return `${line} ${quoted(new URL(".", location).href + path)}`;
}

/** Show an answer as it comes. */
async function show(response, place) {
  const type = response.headers.get("content-type") ?? "";
  const told = TOLD.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
  place.replaceChildren(make("pre", { className: "line", textContent: [`${response.status} ${response.statusText}`, ...told].join("\n") }));
  if (type.includes("json")) {
    const text = JSON.stringify(await response.json(), null, 2);
    place.append(make("pre", { textContent: text.slice(0, SHOWN), tabIndex: 0 }));
  } else if (type.startsWith("text/")) {
    const shown = place.appendChild(make("pre", { tabIndex: 0 }));
    for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
      if (shown.textContent.length < SHOWN) shown.append(piece);
    }
  } else {
    const blob = await response.blob();
    if (!blob.size) return;
    const address = URL.createObjectURL(blob);
    if (type.startsWith("image/")) place.append(make("img", { src: address, alt: "The picture that was answered" }));
    const name = /filename="?([^";]+)/.exec(response.headers.get("content-disposition") ?? "")?.[1];
    place.append(make("a", { href: address, download: name ?? "answer", textContent: `Save it, ${blob.size.toLocaleString()} bytes` }));
  }
}

async function* pieces(stream) {
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}

/** The form by which an operation is tried out. */
function trial(path, method, operation, fields) {
  const id = (field) => `${operation.operationId}-${field.name}`;
  const line = make("pre", { className: "line" });
  const answer = make("div", { "aria-live": "polite" });
  const stop = make("button", { type: "button", textContent: "Stop", hidden: true });
  const send = make("button", { className: "main", textContent: "Send" });
  const form = make("form", {}, ...fields.map((field) => fieldView(field, id(field))), make("div", { className: "actions" }, send, stop));
  const kinds = Object.keys(operation.responses[200]?.content ?? {});
  const told = { streams: kinds.includes("text/event-stream"), binary: kinds.some((kind) => !/json|^text/.test(kind)) };
  const request = () => requestOf(path, method, filled(form, fields));
  const describe = () => (line.textContent = curlLine(request(), told));
  form.addEventListener("input", describe);
  window.addEventListener("keychange", describe);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const aborted = new AbortController();
    stop.onclick = () => aborted.abort();
    [send.disabled, stop.hidden] = [true, false];
    try {
      const [address, options] = request();
      await show(await fetch(address, { ...options, signal: aborted.signal }), answer);
    } catch (error) {
      const words = error.name === "AbortError" ? "Stopped." : "The service does not answer, or the answer was cut off.";
      answer.append(make("p", { className: "trouble", textContent: words }));
    }
    [send.disabled, stop.hidden] = [false, true];
  });
  describe();
  return [form, make("h3", { textContent: "From a terminal" }), line, answer];
}

/** How an operation may end. */
function answersOf(operation) {
  const rows = Object.entries(operation.responses).flatMap(([status, { description, content = {} }]) => {
    const kinds = Object.keys(content).filter((kind) => kind !== "application/problem+json");
    const told = description === "Successful Response" ? "" : description;
    return [make("dt", { textContent: status }), make("dd", { textContent: [told, kinds.join(", ")].filter(Boolean).join(" — ") })];
  });
  return [make("h3", { textContent: "Answers" }), make("dl", {}, ...rows)];
}

function operationView(path, method, operation, document) {
  const [first, ...more] = (operation.description ?? operation.summary).split("\n\n");
  const details = make("details", { id: operation.operationId });
  details.append(make("summary", {}, make("b", { textContent: method.toUpperCase() }), make("code", { textContent: path }), make("span", { textContent: first })));
  const draw = () => {
    const fields = fieldsOf(operation, document);
    const body = make("div", { className: "operation" }, ...more.map((text) => make("p", { textContent: text })));
    body.append(...trial(path, method, operation, fields), ...answersOf(operation));
    details.append(body);
  };
  details.addEventListener("toggle", draw, { once: true });
  return details;
}

function keepKey(document) {
  const input = window.document.querySelector("#key");
  const form = window.document.querySelector("#key-form");
  form.hidden = !document.components.securitySchemes;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.value = sessionStorage.getItem(KEY) ?? "";
  input.addEventListener("input", () => {
    if (input.value) sessionStorage.setItem(KEY, input.value.trim());
    else sessionStorage.removeItem(KEY);
    window.dispatchEvent(new Event("keychange"));
  });
}

async function start() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`${response.status}`);
  const document = await response.json();
  window.document.querySelector("#version").textContent = `version ${document.info.version}, OpenAPI ${document.openapi}`;
  keepKey(document);
  const byTag = new Map();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags?.[0] ?? "more";
      byTag.set(tag, [...(byTag.get(tag) ?? []), operationView(path, method, operation, document)]);
    }
  }
  const main = window.document.querySelector("main");
  for (const [tag, views] of byTag) main.append(make("h2", { textContent: tag[0].toUpperCase() + tag.slice(1) }), ...views);
  if (location.hash) window.document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
}

start().catch(() => {
  const trouble = document.querySelector("#trouble");
  trouble.textContent = "The description cannot be loaded: load this page anew.";
  trouble.hidden = false;
});
