import { get } from "./server.js";

const STEPS = [0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];

/** One picture as large as the window, with zoom and all that is known of it. */
export class Single {
  constructor(dialog) {
    this.dialog = dialog;
    this.stage = dialog.querySelector("#stage");
    this.image = dialog.querySelector("#large");
    this.about = dialog.querySelector("#about dl");
    this.zoom = null; // null fits the window
    this.image.addEventListener("load", () => this.scale());
    this.image.addEventListener("error", () => this.broken());
    new ResizeObserver(() => this.scale()).observe(this.stage);
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("dblclick", () => this.setZoom(this.zoom === null ? this.natural : null));
    this.drag();
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** Show a picture; `neighbours` are loaded ahead. */
  async show(number, name, neighbours = []) {
    if (!this.dialog.open) this.dialog.showModal();
    this.stage.focus();
    if (number !== this.number) {
      this.zoom = null;
      this.image.hidden = true;
      this.image.alt = name;
      this.image.src = `picture/${number}`;
    }
    this.number = number;
    this.dialog.querySelector("#single-name").textContent = name;
    for (const neighbour of neighbours) new Image().src = `picture/${neighbour}`;
    const about = await get(`about/${number}`);
    if (number === this.number) this.tell(about);
  }

  close() {
    this.dialog.close();
  }

  tell({ known, resembled }) {
    this.about.replaceChildren();
    for (const other of resembled) {
      const image = new Image();
      image.alt = "The picture that it resembles";
      image.src = `thumbnail/${other}`;
      this.add("resembles", image);
    }
    for (const [name, value] of Object.entries(known)) this.add(name.replaceAll("_", " "), value);
  }

  add(name, value) {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.append(value);
    this.about.append(term, text);
  }

  broken() {
    this.image.hidden = false;
    this.zoomOutput("cannot be shown");
  }

  get natural() {
    return 1 / window.devicePixelRatio; // a pixel of the picture is one of the screen
  }

  get fit() {
    const { naturalWidth, naturalHeight } = this.image;
    return Math.min(this.stage.clientWidth / naturalWidth, this.stage.clientHeight / naturalHeight);
  }

  scale() {
    if (!this.image.naturalWidth) return;
    const zoom = this.zoom ?? this.fit;
    this.image.style.width = `${Math.floor(this.image.naturalWidth * zoom)}px`;
    this.image.style.height = `${Math.floor(this.image.naturalHeight * zoom)}px`;
    this.image.classList.toggle("pixels", this.zoom !== null && zoom / this.natural >= 3);
    this.image.hidden = false;
    this.zoomOutput(`${Math.round((100 * zoom) / this.natural)} %`);
  }

  zoomOutput(text) {
    this.dialog.querySelector("#zoom").textContent = text;
  }

  /** Zoom about a point of the stage, by default its middle. */
  setZoom(zoom, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const before = this.zoom ?? this.fit;
    const [left, top] = [this.stage.scrollLeft + x, this.stage.scrollTop + y];
    this.zoom = zoom;
    this.scale();
    const ratio = (this.zoom ?? this.fit) / before;
    this.stage.scrollTo(left * ratio - x, top * ratio - y);
  }

  /** The next step of zoom up (1) or down (-1). */
  step(direction, x, y) {
    const now = (this.zoom ?? this.fit) / this.natural;
    const steps = direction > 0 ? STEPS : STEPS.toReversed();
    const next = steps.find((step) => direction * (step - now) > 0.01);
    if (next) this.setZoom(next * this.natural, x, y);
  }

  wheel(event) {
    event.preventDefault();
    const box = this.stage.getBoundingClientRect();
    if (event.deltaY) this.step(-Math.sign(event.deltaY), event.clientX - box.x, event.clientY - box.y);
  }

  drag() {
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) this.stage.setPointerCapture(event.pointerId);
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!this.stage.hasPointerCapture(event.pointerId)) return;
      this.stage.scrollBy(-event.movementX, -event.movementY);
    });
  }
}
