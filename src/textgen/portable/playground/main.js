/** Puts the page together: what happens when someone types, writes, stops, chooses an alternative, or walks the tree. */

/** @param {import("./backend.js").Backend} backend */
async function startPlayground(backend) {
  await new Playground(backend).start();
}

class Playground {
  constructor(backend) {
    this.backend = backend;
    this.tree = new TextTree(() => this.history.draw());
    this.history = new HistoryView(this.tree, (where) => this.move(where));
    this.editor = new Editor({
      edit: () => this.#edited(),
      point: (piece, how) => this.card.point(this.writer.writing ? null : piece, how),
    });
    this.card = new AlternativesCard(this.editor, (piece, alternative, place) => this.rewrite(piece, alternative, place));
    this.settings = new Settings(() => this.distribution?.draw(this.settings.choice));
    this.distribution = new DistributionView();
    this.variants = new VariantsView(
      (column) => this.#use(column),
      () => {
        this.#leaveVariants();
        byId("write").focus();
      },
    );
    this.neurons = new NeuronsView(backend, {
      values: (values) => this.editor.setValues(values),
      problem: (error) => this.notices.problem(error),
      wanted: () => this.#setView("neuron"),
    });
    this.notices = new Notices();
    this.writer = new Writer(backend, this.notices);
    this.models = [];
    this.reading = new AbortController();
    this.readSoon = debounced(() => !this.writer.writing && this.read(), 450);
    this.commitSoon = debounced(() => !this.writer.writing && this.#commit(), 1200);
  }

  async start() {
    for (const id of ["settings-panel", "history-panel"]) byId(id).open = matchMedia("(min-width: 62rem)").matches;
    this.#setView("surprise");
    this.history.draw();
    this.#listen();
    try {
      this.models = await this.backend.models();
    } catch (error) {
      this.notices.problem(error);
      return;
    }
    for (const id of ["model", "second"]) byId(id).append(...this.models.map((model) => make("option", { value: model.id }, model.id)));
    byId("second").prepend(make("option", { value: "", selected: true }, "none"));
    byId("second-pick").hidden = this.models.length < 2;
    this.#setModel(this.models[0].id);
    byId("write").disabled = false;
    if (this.#openLink()) return;
    const suits = await suitsExample(this.backend, this.models[0].id, this.reading.signal);
    if (suits && !this.editor.text) {
      this.editor.show([unread(EXAMPLE)], 0);
      this.#commit("Example");
    }
    this.read();
  }

  /** Writes on at the end of the text: one text into the field, or several into columns. */
  write() {
    if (this.writer.writing || !this.models.length) return;
    this.#leaveVariants();
    this.#commit();
    const request = this.#request(this.editor.text, this.settings.nextSeed(), this.settings.count);
    const models = [...new Set([request.model, byId("second").value || request.model])];
    if (models.length > 1 || this.settings.variants > 1) this.#writeColumns(request, models);
    else this.#writeOn(request);
  }

  /** Puts an alternative in the place of a token, and writes on from there. */
  rewrite(piece, alternative, place) {
    this.card.hide();
    this.#leaveVariants();
    this.#commit();
    const kept = this.editor.tokens.slice(0, piece.index);
    const chosen = { ...piece.token, text: alternative.text, nats: alternative.nats, rank: place + 1 };
    this.editor.show([...kept, chosen], Math.min(this.editor.read, kept.length + 1));
    this.editor.focusEnd();
    const request = this.#request(this.editor.text, this.settings.nextSeed(), this.settings.count);
    this.#writeOn(request, `Chose “${visible(alternative.text)}”`);
  }

  /** Shows another version, with the model that read it. */
  move(where) {
    this.writer.stop();
    this.#leaveVariants();
    this.#commit();
    const version = where();
    if (!version) return;
    this.notices.problem(null);
    this.notices.say(version.how);
    this.tree.go(version);
    this.card.hide();
    this.editor.show(version.tokens, version.read);
    if (version.model && version.model !== byId("model").value) this.#setModel(version.model);
    this.read();
  }

  /** Has the text scored where it has not been, and asks what comes next, for the drawing. */
  async read() {
    if (!this.#model) return;
    this.reading.abort();
    this.reading = new AbortController();
    const how = { signal: this.reading.signal };
    const { text } = this.editor;
    const model = byId("model").value;
    const { isRead } = this.editor;
    try {
      const answer = await this.backend.score({ model, text, top: isRead ? 0 : 10, next: 500 }, how);
      if (text !== this.editor.text) return;
      this.distribution.show(answer.next, this.#model.details, this.settings.choice);
      drawFigure(byId("figure"), answer.bitsPerCharacter);
      drawUnknown(byId("unknown"), answer.unknown);
      if (!isRead) {
        // White space alone can be no token.
        this.editor.show(answer.tokens.length ? answer.tokens : this.editor.tokens);
        if (text === textOf(this.tree.current)) Object.assign(this.tree.current, this.editor.content);
      }
      if (this.#neuronsWanted) this.neurons.load(text);
      const { copies } = this.#findsCopies && text ? await this.backend.copies({ model, text }, how) : { copies: [] };
      if (text === this.editor.text) this.editor.setCopies(copies);
    } catch (error) {
      this.notices.problem(error);
    }
  }

  get #model() {
    return this.models.find((model) => model.id === byId("model").value);
  }

  get #findsCopies() {
    return Boolean(this.#model?.details.has_text);
  }

  get #neuronsWanted() {
    return this.editor.view === "neuron" || byId("neuron-panel").open;
  }

  #request(prompt, seed, length) {
    return { model: byId("model").value, prompt, length, seed, ...this.settings.choice, alternatives: 10 };
  }

  /** Writes into the field, and adds what was written to the tree, even if it was stopped. */
  #writeOn(request, made = null) {
    const before = this.editor.pieces.length;
    this.#start([request], {
      tokens: (_, tokens) => this.editor.append(tokens),
      end: (well) => {
        const count = this.editor.pieces.length - before;
        const how = made ?? `Wrote ${counted(count, "token")}`;
        if (count || made) {
          this.tree.add({ ...this.editor.content, how, model: request.model, written: written(request, count) });
          this.settings.used(request.seed);
          showLink(this.tree.current);
        }
        this.notices.say(well ? `${how}.` : "");
        this.read();
      },
    });
  }

  #writeColumns(request, models) {
    const columns = this.variants.open(columnsOf(request, models, this.settings.variants));
    this.#start(columns.map((column) => column.request), {
      tokens: (index, tokens) => this.variants.append(columns[index], tokens, this.editor.view),
      end: (well) => {
        this.notices.say(well ? "Choose one." : "");
        this.read();
      },
    });
  }

  #start(requests, on) {
    this.card.hide();
    this.reading.abort();
    this.writer.write(requests, on);
  }

  /** Keeps all columns as branches, and shows the chosen one. */
  #use(chosen) {
    this.writer.stop();
    const added = this.variants.versions(this.editor.content, byId("model").value).map((made) => this.tree.add(made, { move: false }));
    const current = added[this.variants.columns.indexOf(chosen)];
    this.variants.close();
    this.settings.used(chosen.request.seed);
    this.move(() => current);
    showLink(current);
    this.editor.focusEnd();
    this.editor.showEnd();
  }

  #leaveVariants() {
    if (this.variants.section.hidden) return;
    this.writer.stop();
    this.variants.close();
  }

  /** Adds what a person has typed to the tree. */
  #commit(how = "Edited") {
    if (this.editor.text === textOf(this.tree.current)) return;
    this.tree.add({ ...this.editor.content, how, model: byId("model").value, written: null });
  }

  #edited() {
    this.#leaveVariants();
    this.notices.problem(null);
    this.card.hide();
    this.readSoon();
    this.commitSoon();
  }

  #setModel(id) {
    byId("model").value = id;
    this.neurons.setModel(this.#model);
    const { details } = this.#model;
    if (!this.settings.length.value) this.settings.length.value = details.one_character ? "300" : "120";
    this.#drawLegend();
  }

  /** Reads the text again with another model. */
  #changeModel() {
    this.writer.stop();
    this.notices.problem(null);
    this.#leaveVariants();
    this.#commit();
    this.#setModel(byId("model").value);
    this.editor.show(this.editor.tokens, 0);
    this.tree.current.model = byId("model").value;
    this.read();
  }

  #setView(view) {
    byId("tint").querySelector(`input[value=${view}]`).checked = true;
    if (view === this.editor.view && view === "neuron") return;
    this.editor.setView(view);
    this.variants.setView(view);
    this.#drawLegend();
    if (view === "neuron" && this.#model) this.neurons.load(this.editor.text);
  }

  #drawLegend() {
    drawLegend(byId("legend"), this.editor.view, this.#findsCopies);
  }

  #openLink() {
    const linked = readHash(location.hash);
    if (!linked || !this.#model) return false;
    this.writer.stop();
    this.#leaveVariants();
    this.#commit();
    const wanted = linked.model || byId("model").value;
    const known = this.models.some((model) => model.id === wanted);
    if (known) this.#setModel(wanted);
    if (linked.length) this.settings.show(linked.choice);
    this.editor.show(linked.prompt ? [unread(linked.prompt)] : [], 0);
    this.tree.add({ ...this.editor.content, how: "Opened a link", model: byId("model").value, written: null });
    if (!known) this.notices.problem(new BackendError(`There is no model ${wanted} here, so the link's text was not written.`));
    if (known && linked.length) this.#writeOn(this.#request(linked.prompt, linked.seed, linked.length));
    else this.read();
    return true;
  }

  #listen() {
    const on = (id, name, call) => byId(id).addEventListener(name, call);
    on("write", "click", () => this.write());
    on("model", "change", () => this.#changeModel());
    on("copy-link", "click", () => {
      this.writer.stop();
      this.#commit();
      copyLink(this.tree.current, this.notices);
    });
    on("tint", "change", (event) => this.#setView(event.target.value));
    on("neuron-panel", "toggle", () => byId("neuron-panel").open && this.#model && this.neurons.load(this.editor.text));
    on("text", "beforeinput", (event) => {
      this.writer.stop();
      if (!/^history/.test(event.inputType)) return;
      event.preventDefault();
      this.move(() => (event.inputType === "historyUndo" ? this.tree.before : this.tree.after));
    });
    addEventListener("hashchange", () => this.#openLink());
    listenForKeys({
      inText: (element) => element === this.editor.area || !element.closest("input, select, dialog"),
      escape: () => this.card.dismiss() || this.writer.stop(),
      write: () => this.write(),
      undo: () => this.move(() => this.tree.before),
      redo: () => this.move(() => this.tree.after),
    });
  }
}
