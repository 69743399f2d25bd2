/** The pictures that lie over each other: before, after, and where the model is unsure. */

const LARGEST = 1600; // longest side of a picture of the whole; more is shown in detail
const ROUNDED = 200; // so that another size of the window seldom asks for another picture
const MARGIN = 0.2; // of what is seen, around it: a short way needs no further picture
const LONGEST_DETAIL = 3072;

export function createLayers(world, api) {
  const [source, colour, confidence] = ["source", "colour", "confidence"].map((show) => new Layer(show, api));
  world.append(source.box, colour.box, confidence.box);

  return {
    clear() {
      for (const layer of [source, colour, confidence]) layer.clear();
    },

    /** Width over height of what is there, 1 before there is something. */
    shape: () => source.whole.naturalWidth / source.whole.naturalHeight || 1,

    /** Have what is seen. needed: longest side of the whole, in pixels of the screen. */
    async load(photograph, { page, unsure, seen, needed }, signal) {
      const { width, height } = photograph.view;
      const longest = Math.max(width, height);
      const side = Math.min(LARGEST, longest, Math.ceil(needed / ROUNDED) * ROUNDED);
      const wanted = { page, side: Math.max(16, side) };
      const close = needed > 1.1 * side && side < longest;
      const detail = close && { page, ...closeUp(seen, width, height, Math.min(1, needed / longest)) };
      const layers = unsure ? [source, colour, confidence] : [source, colour];
      if (!unsure) confidence.clear();
      for (const layer of layers) await layer.load(photograph, wanted, detail, signal);
    },
  };
}

/** What is asked for to see a part in detail: the part and a margin, and its longest side. */
function closeUp(seen, width, height, scale) {
  const grown = (begin, size) => {
    const from = Math.max(0, begin - MARGIN * size);
    return [from, Math.min(1, begin + size * (1 + MARGIN)) - from];
  };
  const [left, across] = grown(seen.left, seen.width);
  const [top, down] = grown(seen.top, seen.height);
  const side = Math.ceil(Math.max(across * width, down * height) * scale);
  return { region: { left, top, width: across, height: down }, side: Math.min(side, LONGEST_DETAIL), seen };
}

/** A picture of one kind: the whole of it, and over that a part in detail where one looks closely. */
class Layer {
  constructor(show, api) {
    this.show = show;
    this.api = api;
    this.box = document.createElement("div");
    this.box.className = `layer ${show}`;
    this.whole = this.box.appendChild(createImage());
    this.detail = this.box.appendChild(createImage());
    this.clear();
  }

  clear() {
    this.box.classList.remove("there");
    this.whole.removeAttribute("src");
    this.path = null; // of the whole
    this.close = null; // {path, region, side} of the detail
    this.detail.hidden = true;
  }

  async load(photograph, wanted, detail, signal) {
    const about = { show: this.show, look: this.show === "source" ? PLAIN : photograph.look };
    const path = this.api.preview(photograph, { ...about, ...wanted });
    if (path !== this.path) {
      if (!detail) this.detail.hidden = true; // it is of another look
      const next = await decoded(await this.api.picture(path, { signal }));
      signal.throwIfAborted();
      this.whole.replaceWith(next);
      [this.whole, this.path] = [next, path];
      this.box.classList.add("there");
    }
    await this.loadDetail(photograph, about, detail, signal);
  }

  async loadDetail(photograph, about, detail, signal) {
    if (!detail) {
      this.detail.hidden = true;
      this.close = null;
      return;
    }
    const look = this.path;
    const { page, region, side, seen } = detail;
    const { close } = this;
    if (close?.look === look && close.side >= 0.9 * side && covers(close.region, seen)) return;
    const path = this.api.preview(photograph, { ...about, page, region, side });
    const next = await decoded(await this.api.picture(path, { signal }));
    signal.throwIfAborted();
    for (const [name, share] of Object.entries(region)) next.style[name] = `${100 * share}%`;
    this.detail.replaceWith(next);
    this.detail = next;
    this.close = { look, region, side };
  }
}

/** What does not change when colours do is asked for by the same address. */
const PLAIN = { options: {}, hints: [] };

function createImage() {
  const image = new Image();
  image.alt = "";
  image.draggable = false;
  return image;
}

/** A picture that is shown in the moment it is put in its place. */
async function decoded(blob) {
  const image = createImage();
  const url = URL.createObjectURL(blob);
  image.src = url;
  await image.decode().finally(() => URL.revokeObjectURL(url));
  return image;
}

/** Whether a region holds all that is seen now. */
function covers({ left, top, width, height }, seen) {
  const slack = 1e-3;
  return seen.left >= left - slack && seen.top >= top - slack
    && seen.left + seen.width <= left + width + slack && seen.top + seen.height <= top + height + slack;
}
