const WORDNET = /^n\d{8}:/;

/** The corpus as the page knows it: columns, verdicts, and lists by filter and order. */
export class Pictures {
  constructor(table) {
    this.table = table;
    this.count = table.file.length;
    this.version = table.version;
    this.verdicts = new Map();
    this.flags = new Map(table.flags.map(([number, ...reasons]) => [number, reasons]));
    this.tally = { keep: 0, drop: 0 };
    this.uses = new Map();
    for (const label of table.label) this.use(table.labels[label], 1);
    this.change(table.verdicts);
  }

  name(number) {
    const shard = this.table.shards[this.table.shard[number]];
    return shard ? `${shard}/${this.table.file[number]}` : this.table.file[number];
  }

  decision(number) {
    return this.verdicts.get(number)?.decision ?? "";
  }

  label(number) {
    return this.verdicts.get(number)?.labels ?? this.table.labels[this.table.label[number]];
  }

  /** What stands under a picture: its label without a WordNet id, or its file's name. */
  caption(number) {
    return this.label(number).replace(WORDNET, "") || this.table.file[number];
  }

  reasons(number) {
    return (this.flags.get(number) ?? []).map((reason) => this.table.reasons[reason]);
  }

  /** Take over what the server says stands now. */
  change(rows) {
    for (const [number, decision, labels, who, when] of rows) {
      this.tally[this.decision(number)]--;
      this.use(this.label(number), -1);
      this.verdicts.set(number, { decision, labels, who, when });
      this.tally[decision]++;
      this.use(labels, 1);
    }
  }

  use(label, times) {
    this.uses.set(label, (this.uses.get(label) ?? 0) + times);
  }

  get hasColour() {
    return this.table.a.some((a) => a !== null);
  }

  /** Numbers of the pictures that pass a view's filters, in its order. */
  list(view) {
    const listed = [];
    const tests = this.tests(view);
    for (let number = 0; number < this.count; number++) {
      if (tests.every((test) => test(number))) listed.push(number);
    }
    const key = this.key(view.order);
    if (key) {
      const keys = new Map(listed.map((number) => [number, key(number)]));
      const known = listed.filter((number) => keys.get(number) !== null);
      const unknown = listed.filter((number) => keys.get(number) === null);
      known.sort((one, other) => compare(keys.get(one), keys.get(other)));
      return (view.falling ? known.reverse() : known).concat(unknown);
    }
    return view.falling ? listed.reverse() : listed;
  }

  tests({ search, label, source, decision, reason }) {
    const { table } = this;
    const tests = [];
    if (source !== "") tests.push((n) => table.source[n] === Number(source));
    if (decision !== "any") tests.push((n) => this.decision(n) === decision);
    if (reason === "flagged") tests.push((n) => this.flags.has(n));
    else if (reason === "not flagged") tests.push((n) => !this.flags.has(n));
    else if (reason !== "") tests.push((n) => this.flags.get(n)?.includes(Number(reason)));
    const has = (text, words) => words.every((word) => text.toLowerCase().includes(word));
    const labelled = label.toLowerCase().split(/\s+/).filter(Boolean);
    if (labelled.length) tests.push((n) => has(this.label(n), labelled));
    const searched = search.toLowerCase().split(/\s+/).filter(Boolean);
    if (searched.length) tests.push((n) => has(`${this.name(n)} ${this.label(n)}`, searched));
    return tests;
  }

  key(order) {
    const { a, b, file } = this.table;
    return {
      file: (n) => file[n],
      label: (n) => this.label(n).toLowerCase(),
      chroma: (n) => (a[n] === null || b[n] === null ? null : Math.hypot(a[n], b[n])),
      a: (n) => a[n],
      b: (n) => b[n],
    }[order];
  }

  /** Labels that complete what is typed: those that begin with it first, then the frequent. */
  completions(typed, most = 40) {
    const part = typed.toLowerCase();
    return [...this.uses]
      .filter(([label, uses]) => uses > 0 && label && label.toLowerCase().includes(part))
      .map(([label, uses]) => ({ label, uses, begins: words(label).some((w) => w.startsWith(part)) }))
      .sort((one, other) => other.begins - one.begins || other.uses - one.uses)
      .slice(0, most)
      .map(({ label }) => label);
  }
}

const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

/** A label and what follows its WordNet id, in lower case. */
const words = (label) => [label, label.replace(WORDNET, "")].map((text) => text.toLowerCase());
