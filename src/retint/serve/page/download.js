/** What leaves: one photograph in its full size, or all of them as a ZIP with their receipts. */

const LOSSY = ["jpeg", "webp", "avif"];

export function mount(element, store, api) {
  const [format, quality] = ["format", "quality"].map((name) => element.querySelector(`[name=${name}]`));
  const one = element.querySelector("[data-one]");
  const all = element.querySelector("[data-all]");
  const note = element.querySelector(".note");

  one.addEventListener("click", () => busy(one, () => downloadOne(store.chosen())));
  all.addEventListener("click", () => busy(all, () => downloadAll(ready())));
  format.addEventListener("change", draw);
  store.subscribe(({ what }) => {
    if (what !== "look") draw();
  });
  draw();

  function ready() {
    return store.get().photographs.filter(({ state }) => state === "ready");
  }

  function wanted() {
    return { format: format.value || null, quality: (lossy() && quality.value) || null };
  }

  function lossy() {
    return LOSSY.includes(format.value || store.chosen()?.view?.format);
  }

  function draw() {
    const count = ready().length;
    quality.closest("label").hidden = !lossy();
    one.disabled = store.chosen()?.state !== "ready";
    all.hidden = count < 2;
    all.textContent = `All ${count} as ZIP`;
    note.textContent = "";
  }

  async function downloadOne(photograph) {
    note.textContent = "It is being coloured in full size …";
    const done = await api.colorize(photograph, wanted()).catch((error) => {
      if (error.status !== 503) throw error; // else the service is busy, and it waits its turn
    });
    if (!done) return downloadAll([photograph]);
    const { blob, receipt } = done;
    const name = receipt.target.replace(/(?=\.[^.]*$)|$/, ".colour");
    const url = URL.createObjectURL(blob);
    save(url, name);
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    note.textContent = `${name}: lightness differs by ${receipt.delta_L_mean.toFixed(2)} on average, of 100.`;
  }

  async function downloadAll(photographs) {
    let view = await api.submit(photographs, wanted());
    for (; view.state !== "ended"; view = await api.job(view.id)) {
      note.textContent = `${view.ended} of ${view.total} are coloured in full size …`;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    save(await api.results(view.id), `retint-${view.id}.zip`);
    const failed = view.states.failed ?? 0;
    note.textContent = failed
      ? `${view.total - failed} of ${view.total} are in the ZIP; its retint-journal.jsonl says why.`
      : `The ZIP is here: ${view.total} with their receipts.`;
  }

  async function busy(button, action) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      await action();
    } catch (error) {
      note.textContent = error.message;
    }
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

function save(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
