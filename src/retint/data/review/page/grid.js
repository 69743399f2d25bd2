const AT_ONCE = 12; // pictures being loaded

/** A grid of any number of tiles of which only those in view exist: a listbox with a cursor. */
export class Grid {
  /** `draw(number, tile)` fills and renews a tile; `moved` is called after cursor or selection. */
  constructor(box, sheet, { draw, moved, open }) {
    Object.assign(this, { box, sheet, draw, moved, open });
    this.list = [];
    this.cursor = 0; // places in the list
    this.anchor = 0;
    this.selected = new Set(); // numbers of pictures
    this.tiles = new Map();
    this.loading = 0;
    this.size = 144;
    box.addEventListener("scroll", () => this.render(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(box);
    box.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault());
    box.addEventListener("click", (event) => this.click(event));
    box.addEventListener("dblclick", (event) => this.placeOf(event.target) >= 0 && this.open());
  }

  get current() {
    return this.list[this.cursor];
  }

  /** What a command is about: the selection in the list's order, or the picture at the cursor. */
  get targets() {
    if (this.selected.size) return this.list.filter((number) => this.selected.has(number));
    return this.list.length ? [this.current] : [];
  }

  /** Show another list; the cursor stays on its picture, or else behind what was before it. */
  show(list) {
    const listed = new Set(list);
    const before = this.list.slice(0, this.cursor).filter((number) => listed.has(number)).length;
    const place = listed.has(this.current) ? list.indexOf(this.current) : before;
    this.list = list;
    this.cursor = this.anchor = Math.max(0, Math.min(place, list.length - 1));
    this.selected.clear();
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.layout();
  }

  resize(size) {
    this.size = size;
    this.layout();
  }

  layout() {
    const gap = 8;
    const width = this.sheet.clientWidth;
    this.columns = Math.max(1, Math.floor((width + gap) / (this.size + gap)));
    this.side = (width + gap) / this.columns - gap;
    this.stepX = this.side + gap;
    this.stepY = this.side + 28 + gap; // room for a line of text
    this.sheet.style.height = `${Math.ceil(this.list.length / this.columns) * this.stepY}px`;
    this.box.style.setProperty("--side", `${this.side}px`);
    for (const [place, tile] of this.tiles) this.lay(place, tile);
    this.reveal();
    this.render();
    this.moved();
  }

  lay(place, tile) {
    const x = (place % this.columns) * this.stepX;
    const y = Math.floor(place / this.columns) * this.stepY;
    tile.style.transform = `translate(${x}px, ${y}px)`;
  }

  render() {
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / this.stepY) - 2) * this.columns;
    const beyond = Math.min(
      this.list.length,
      (Math.ceil((scrollTop + clientHeight) / this.stepY) + 2) * this.columns,
    );
    for (const [place, tile] of this.tiles) {
      if (place < first || place >= beyond) {
        tile.remove();
        this.tiles.delete(place);
      }
    }
    for (let place = first; place < beyond; place++) {
      if (!this.tiles.has(place)) this.add(place);
    }
    this.mark();
    this.load();
  }

  /** Load pictures of tiles that are there, a few at a time: what was scrolled past is not asked
   * for. `draw` has left their addresses in data-src. */
  load() {
    for (const tile of this.tiles.values()) {
      if (this.loading >= AT_ONCE) return;
      const image = tile.querySelector("img[data-src]");
      if (image) this.loadImage(image, tile);
    }
  }

  loadImage(image, tile) {
    const ended = () => {
      this.loading--;
      this.load();
    };
    this.loading++;
    image.addEventListener("load", ended, { once: true });
    image.addEventListener("error", ended, { once: true });
    image.addEventListener("error", () => tile.classList.add("broken"));
    image.src = image.dataset.src;
    delete image.dataset.src;
  }

  add(place) {
    const tile = document.createElement("div");
    tile.className = "tile";
    tile.id = `picture-${this.list[place]}`;
    tile.dataset.place = place;
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", this.list.length);
    this.lay(place, tile);
    this.draw(this.list[place], tile);
    this.tiles.set(place, tile);
    this.sheet.append(tile);
  }

  mark() {
    for (const [place, tile] of this.tiles) {
      const selected = this.selected.has(this.list[place]);
      tile.setAttribute("aria-selected", selected);
      tile.classList.toggle("cursor", place === this.cursor);
    }
    const tile = this.tiles.get(this.cursor);
    if (tile) this.box.setAttribute("aria-activedescendant", tile.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  redraw() {
    for (const [place, tile] of this.tiles) this.draw(this.list[place], tile);
  }

  /** Put the cursor at a place; with `extend` select from the anchor up to it. */
  go(place, { extend = false } = {}) {
    if (!this.list.length) return;
    this.cursor = Math.max(0, Math.min(place, this.list.length - 1));
    if (extend) this.selectRange();
    else {
      this.anchor = this.cursor;
      this.selected.clear();
    }
    this.reveal();
    this.render();
    this.moved();
  }

  /** On to what follows the last of these pictures, which are no longer selected. */
  advance(numbers) {
    const last = numbers.length > 1 ? this.list.lastIndexOf(numbers.at(-1)) : this.cursor;
    this.go(last + 1);
  }

  goTo(number) {
    const place = this.list.indexOf(number);
    if (place >= 0) this.go(place);
  }

  selectRange() {
    const [from, to] = [this.anchor, this.cursor].sort((one, other) => one - other);
    this.selected = new Set(this.list.slice(from, to + 1));
  }

  toggle(place = this.cursor) {
    if (!this.list.length) return;
    const number = this.list[place];
    if (!this.selected.delete(number)) this.selected.add(number);
    this.cursor = this.anchor = place;
    this.mark();
    this.moved();
  }

  selectAll() {
    this.selected = new Set(this.list);
    this.mark();
    this.moved();
  }

  selectNone() {
    this.selected.clear();
    this.mark();
    this.moved();
  }

  /** Move as an arrow or page key says; whether it was one. */
  key(event) {
    const rows = Math.max(1, Math.floor(this.box.clientHeight / this.stepY));
    const place = {
      ArrowLeft: this.cursor - 1,
      ArrowRight: this.cursor + 1,
      ArrowUp: this.cursor - this.columns,
      ArrowDown: this.cursor + this.columns,
      PageUp: this.cursor - rows * this.columns,
      PageDown: this.cursor + rows * this.columns,
      Home: 0,
      End: this.list.length - 1,
    }[event.key];
    if (place === undefined) return false;
    const stays = event.key.startsWith("Arrow") && (place < 0 || place >= this.list.length);
    this.go(stays ? this.cursor : place, { extend: event.shiftKey });
    return true;
  }

  click(event) {
    const place = this.placeOf(event.target);
    if (place < 0) return;
    if (event.shiftKey) this.go(place, { extend: true });
    else if (event.ctrlKey || event.metaKey || event.target.closest(".corner")) this.toggle(place);
    else this.go(place);
  }

  placeOf(target) {
    return Number(target.closest(".tile")?.dataset.place ?? -1);
  }

  /** Scroll the cursor's row into view, where it is not. */
  reveal() {
    const top = Math.floor(this.cursor / this.columns) * this.stepY;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.stepY > scrollTop + clientHeight) {
      this.box.scrollTop = top + this.stepY - clientHeight;
    }
  }
}
