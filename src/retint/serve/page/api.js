/** Requests to the service that sent this page. Paths are relative: it may stand below a prefix. */

const AT_ONCE = 4;
const KEY = "retint-key"; // for this tab only; /docs has it there too

/** An answer that is none: `message` is a sentence for people, `status` 0 where nothing answered. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let askForKey = async () => null;

/** Say how a visitor is asked for an API key: a function that resolves to it, or to null. */
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

export const key = () => sessionStorage.getItem(KEY);

/** A response that is good; anything else is thrown, as a Problem. A service that asks to be left
 * alone for some seconds is. */
export async function ask(path, { headers = {}, ...options } = {}) {
  const given = key();
  const sent = given ? { ...headers, Authorization: `Bearer ${given}` } : headers;
  const response = await inTurn(() => fetched(path, { ...options, headers: sent }));
  if (response.ok) return response;
  if (response.status === 401 && (await haveKeyInPlaceOf(given))) return ask(path, { headers, ...options });
  if (response.status === 429) {
    await pause(Number(response.headers.get("Retry-After") ?? 1));
    options.signal?.throwIfAborted();
    return ask(path, { headers, ...options });
  }
  throw await problem(response);
}

async function fetched(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer. It may be starting, or the network is away.");
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

const queue = [];
let running = 0;

/** Do what begins a request when few enough others are under way. */
async function inTurn(begin) {
  if (running === AT_ONCE) await new Promise((resolve) => queue.push(resolve));
  else running++;
  try {
    return await begin();
  } finally {
    const next = queue.shift();
    if (next) next();
    else running--;
  }
}

let asking = null;

/** Have a key that is not the refused one; whoever asks meanwhile waits for the same answer. */
async function haveKeyInPlaceOf(refused) {
  if (key() !== refused) return true;
  asking ??= askForKey(refused !== null).finally(() => (asking = null));
  const given = await asking;
  if (given) sessionStorage.setItem(KEY, given);
  return Boolean(given);
}

async function problem(response) {
  const told = await response.json().catch(() => ({}));
  return new Problem(response.status, told.detail ?? `The service answered ${response.status}.`);
}

const json = async (path, options) => (await ask(path, options)).json();

/** What models there are, as /v1/models lists them; the first is the default. */
export const models = () => json("v1/models");

/** Send a photograph to be looked at; resolves to what the service says of it. */
export function send(file, signal) {
  const form = new FormData();
  form.append("image", file, file.name);
  return json("v1/photographs", { method: "POST", body: form, signal });
}

/** What the service says of a photograph it has. */
export const known = ({ view }) => json(`v1/photographs/${view.id}`);

export const forget = ({ view }) => ask(`v1/photographs/${view.id}`, { method: "DELETE" });

/** Path of a picture of a photograph: what `show` says (colour, grey, confidence), within `side`
 * pixels, of one page, of the `region` {left, top, width, height} in shares, in some look. */
export function preview(photograph, { show = "colour", side = 1600, page = 0, region, look } = {}) {
  const query = asked(look ?? photograph.look);
  query.set("show", show);
  query.set("side", side);
  if (page) query.set("page", page);
  for (const [name, share] of Object.entries(region ?? {})) query.set(name, share.toFixed(5));
  return `v1/photographs/${photograph.view.id}/preview?${query}`;
}

/** A picture, as a blob. */
export async function picture(path, { signal, accept = "image/webp" } = {}) {
  return (await ask(path, { signal, headers: { Accept: accept } })).blob();
}

/** Other colourings that are as plausible: [{number, apart}], of which the first is the guess. */
export async function alternatives(photograph, count, signal) {
  const query = asked({ ...photograph.look, options: { ...photograph.look.options, alternative: 0 } });
  query.set("count", count);
  const path = `v1/photographs/${photograph.view.id}/alternatives?${query}`;
  return (await json(path, { signal })).alternatives;
}

/** The main colours of a photograph that has some: [{rgb, L, a, b, share}]. */
export async function palette(view, count = 8) {
  return (await json(`v1/photographs/${view.id}/palette?count=${count}`)).colours;
}

/** The result in full size: {blob, receipt}. `format` and `quality` may be null. */
export async function colorize(photograph, { format, quality }, signal) {
  const form = formOf({ photograph: photograph.view.id, format, quality, ...resulting(photograph) });
  if (photograph.look.hints.length) form.append("hints", JSON.stringify(photograph.look.hints));
  const response = await ask("v1/colorize", { method: "POST", body: form, signal });
  const receipt = JSON.parse(response.headers.get("Retint-Receipt"));
  return { blob: await response.blob(), receipt };
}

/** Have many coloured in full size, each with its own look; resolves to the job. */
export function submit(photographs, { format, quality }) {
  const items = photographs.map((one) => ({
    id: one.view.id,
    options: Object.fromEntries(given(resulting(one))),
    hints: one.look.hints,
  }));
  const form = formOf({ photographs: JSON.stringify(items), format, quality });
  return json("v1/jobs", { method: "POST", body: form });
}

/** How a job is getting on, as /v1/jobs/ID tells. */
export const job = (id) => json(`v1/jobs/${id}?count=0`);

/** Address of a job's ZIP, to be saved by the browser. */
export async function results(id) {
  const path = `v1/jobs/${id}/results`;
  if (!key()) return path; // straight to the disk; a link cannot carry a key
  return URL.createObjectURL(await (await ask(path)).blob());
}

/** Options of a result: one that has colour already is recoloured, as its preview was. */
function resulting({ look, view }) {
  return view.tone === "colour" ? { ...look.options, if_colour: "recolour" } : look.options;
}

function formOf(values) {
  const form = new FormData();
  for (const [name, value] of given(values)) form.append(name, value);
  return form;
}

function asked({ options, hints }) {
  const query = new URLSearchParams(given(options));
  if (hints.length) query.set("hints", JSON.stringify(hints));
  return query;
}

const given = (options) => Object.entries(options).filter(([, value]) => value !== null);
