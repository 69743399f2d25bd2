/** Requests to the service that sent this page. Paths are relative: it may stand below a prefix. */

const KEY = "retint.key"; // for this tab only

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

/** A response that is good; anything else is thrown, as a Problem. */
export async function ask(path, { headers = {}, ...options } = {}) {
  const given = key();
  const sent = given ? { ...headers, Authorization: `Bearer ${given}` } : headers;
  let response;
  try {
    response = await fetch(path, { ...options, headers: sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer. It may be starting, or the network is away.");
  }
  if (response.ok) return response;
  if (response.status === 401 && (await keyInPlaceOf(given))) return ask(path, { headers, ...options });
  throw await problem(response);
}

let asking = null;

/** Have a key that is not the refused one; whoever asks meanwhile waits for the same answer. */
async function keyInPlaceOf(refused) {
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

function asked({ options, hints }) {
  const query = new URLSearchParams(given(options));
  if (hints.length) query.set("hints", JSON.stringify(hints));
  return query;
}

const given = (options) => Object.entries(options).filter(([, value]) => value !== null);
