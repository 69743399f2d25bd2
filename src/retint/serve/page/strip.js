/** Photographs as they come in, by drop, paste or choice, and the list of those that are here. */

const SENDING = 2; // at once
const THUMBNAIL = 240; // pixels
const SAID = { sending: ", is being sent", failed: ", could not be opened", ready: "" };

export function mount(element, store, api) {
  const list = element.querySelector("[role=listbox]");
  const said = document.getElementById("said");
  const picker = document.getElementById("picker");
  const waiting = [];
  let sending = 0;

  takeDrops((files) => take(files));
  document.addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files]));
  picker.addEventListener("change", () => {
    take([...picker.files]);
    picker.value = "";
  });
  for (const button of document.querySelectorAll("[data-pick]")) {
    button.addEventListener("click", () => picker.click());
  }
  element.querySelector("[data-remove]").addEventListener("click", remove);
  list.addEventListener("click", ({ target }) => {
    const option = target.closest("[role=option]");
    if (option) store.choose(option.dataset.id);
  });
  list.addEventListener("keydown", move);
  store.subscribe(({ what, id }) => {
    if (what === "list") draw();
    else if (what === "chosen") mark();
    else redraw(id);
    if (what !== "look") tell();
  });
  const thumbnails = createThumbnails(list, store, api);
  draw();
  tell();

  function take(files) {
    if (!files.length) return;
    const added = store.add(files);
    store.choose(added[0].id);
    waiting.push(...added);
    while (sending < SENDING && waiting.length) send();
  }

  async function send() {
    sending++;
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { id, file } = next;
      if (!store.find(id)) continue; // removed meanwhile
      const news = await api.send(file).then(
        (view) => ({ state: "ready", view }),
        (error) => ({ state: "failed", problem: error.message }),
      );
      if (store.find(id)) store.settle(id, news);
      else if (news.view) api.forget(news).catch(() => {});
    }
    sending--;
  }

  function remove() {
    const photograph = store.chosen();
    store.remove(photograph.id);
    if (!store.get().photographs.length) document.querySelector("#welcome button").focus();
    if (photograph.view) api.forget(photograph).catch(() => {}); // it expires by itself
  }

  function draw() {
    const { photographs } = store.get();
    const drawn = new Map([...list.children].map((option) => [option.dataset.id, option]));
    list.replaceChildren(...photographs.map(({ id }) => drawn.get(id) ?? createOption(id)));
    photographs.forEach(({ id }) => redraw(id));
    mark();
  }

  function redraw(id) {
    const { view, file, state } = store.find(id);
    const option = optionOf(id);
    const name = view?.name ?? file.name;
    option.title = name;
    option.querySelector("span").textContent = name.replace(/\.[^.]*$/, ""); // it would be cut off
    option.dataset.state = state;
    option.setAttribute("aria-label", name + SAID[state]);
    thumbnails.want(option);
  }

  function mark() {
    const { chosen } = store.get();
    for (const option of list.children) {
      option.setAttribute("aria-selected", option.dataset.id === chosen);
    }
    if (!chosen) return list.removeAttribute("aria-activedescendant");
    const option = optionOf(chosen);
    list.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function move(event) {
    const { photographs, chosen } = store.get();
    const place = photographs.findIndex(({ id }) => id === chosen);
    const next = {
      ArrowLeft: place - 1, ArrowUp: place - 1, ArrowRight: place + 1, ArrowDown: place + 1,
      Home: 0, End: photographs.length - 1,
    }[event.key];
    if (event.key === "Delete") remove();
    else if (next === undefined) return;
    else if (photographs[next]) store.choose(photographs[next].id);
    event.preventDefault();
  }

  function tell() {
    const { photographs } = store.get();
    const count = (state) => photographs.filter((one) => one.state === state).length;
    const [n, coming, failed] = [photographs.length, count("sending"), count("failed")];
    const parts = [
      coming && `${n - coming} of ${n} photographs are here`,
      failed && `${failed} could not be opened`,
    ];
    said.textContent = parts.filter(Boolean).join(", ");
  }

  function optionOf(id) {
    return list.querySelector(`[data-id="${id}"]`);
  }
}

function createOption(id) {
  const option = document.createElement("div");
  option.id = `photograph-${id}`;
  option.dataset.id = id;
  option.setAttribute("role", "option");
  const image = new Image();
  image.alt = "";
  option.append(image, document.createElement("span"));
  return option;
}

/** Thumbnails of the options that can be seen, one after the other: what is looked at comes first. */
function createThumbnails(list, store, api) {
  const seen = new Set();
  let busy = false;
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target);
      else seen.delete(target);
    }
    load();
  }, { root: list, rootMargin: "0px 200px" });

  const wish = (option) => {
    const photograph = store.find(option.dataset.id);
    return photograph?.state === "ready" ? api.preview(photograph, { side: THUMBNAIL }) : null;
  };
  const next = () => [...seen].find((option) => {
    const path = option.isConnected && wish(option);
    return path && path !== option.dataset.path;
  });

  async function load() {
    if (busy) return;
    busy = true;
    for (let option = next(); option; option = next()) {
      const path = wish(option);
      option.dataset.path = path; // whatever comes of it: a failure is told by the viewer
      try {
        await show(option.querySelector("img"), await api.picture(path));
      } catch {
        continue;
      }
    }
    busy = false;
  }

  return {
    want(option) {
      watch.observe(option);
      load();
    },
  };
}

async function show(image, blob) {
  const url = URL.createObjectURL(blob);
  image.src = url;
  await image.decode().finally(() => URL.revokeObjectURL(url));
}

/** Files dropped anywhere on the page, also in folders; the page shows that it waits for them. */
function takeDrops(take) {
  const sign = document.getElementById("dropping");
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    sign.hidden = false;
  });
  addEventListener("dragleave", ({ relatedTarget }) => (sign.hidden = !relatedTarget || sign.hidden));
  addEventListener("drop", async (event) => {
    sign.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
    const files = await Promise.all(entries.filter(Boolean).map(filesOf));
    take(files.flat());
  });
}

/** The files of a dropped entry; of a folder, those that are not hidden, in order. */
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const entries = [];
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    entries.push(...some);
  }
  const shown = entries.filter(({ name }) => !name.startsWith("."));
  shown.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return (await Promise.all(shown.map(filesOf))).flat();
}
