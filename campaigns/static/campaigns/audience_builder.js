// Turns the JSON of an audience, or of a step's condition, into a form of nested conditions, and
// back with every keystroke. What conditions there are comes with the page
// (campaigns/admin/vocabulary.py). Text from the server is only ever written as text, never as markup.
"use strict";

(() => {
  const MODES = [
    ["all", false, "all of these are true"],
    ["any", false, "at least one of these is true"],
    ["any", true, "none of these is true"],
    ["all", true, "not all of these are true"],
  ];

  function make(tag, props = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name in element && typeof value !== "string") element[name] = value;
      else if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  // --- Documents and nodes ---------------------------------------------------------------------
  // A node is {negated, mode, children} or {negated, name, values}; "not" is a mark on its node.
  function read(document) {
    if (!document || typeof document !== "object" || Array.isArray(document)) {
      throw new Error("A clause is an object.");
    }
    if ("not" in document) {
      const node = read(document.not);
      node.negated = !node.negated;
      return node;
    }
    for (const mode of ["all", "any"]) {
      if (mode in document) {
        if (!Array.isArray(document[mode])) throw new Error(`"${mode}" holds a list of clauses.`);
        return { negated: false, mode, children: document[mode].map(read) };
      }
    }
    const { condition, ...values } = document;
    return { negated: false, name: String(condition ?? ""), values };
  }

  function write(node) {
    const plain = node.mode
      ? { [node.mode]: node.children.map(write) }
      : { condition: node.name, ...node.values };
    return node.negated ? { not: plain } : plain;
  }

  class Builder {
    constructor(root) {
      this.root = root;
      this.area = root.querySelector("textarea");
      this.tree = root.querySelector("[data-tree]");
      this.problem = root.querySelector("[data-json-problem]");
      const words = document.getElementById(root.dataset.words) ?? root.querySelector("script[type='application/json']");
      this.words = JSON.parse(words.textContent);
      this.conditions = new Map(this.words.conditions.map((each) => [each.name, each]));
      this.area.addEventListener("input", () => this.load(this.area.value));
      this.ask = root.querySelector("[data-ask]");
      if (this.ask) this.askable();
      this.load(this.area.value);
      if (root.dataset.errorDetail) this.point(root.dataset.errorPointer, root.dataset.errorDetail);
    }

    askable() {
      this.ask.hidden = false;
      this.ask.querySelector("[data-do-count]").addEventListener("click", () => this.count());
      this.ask.querySelector("[data-do-explain]").addEventListener("click", () => this.explain());
      this.ask.querySelector("[data-member]").addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault(); // Or Enter would save the whole page.
        this.explain();
      });
    }

    load(text) {
      try {
        const said = JSON.parse(text.trim() || "{}");
        const isEmpty = said && typeof said === "object" && !Array.isArray(said) && !Object.keys(said).length;
        const node = read(isEmpty && this.words.may_be_empty ? { all: [] } : said);
        this.top = node.mode ? node : { negated: false, mode: "all", children: [node] };
        this.problem.textContent = "";
        this.draw();
      } catch (error) {
        this.problem.textContent = `This is not a definition yet: ${error.message}`;
        this.problem.closest("details").open = true;
      }
    }

    set(document) {
      this.area.value = JSON.stringify(document, null, 2);
      this.load(this.area.value);
    }

    changed() {
      const { mode, negated, children } = this.top;
      const isEmpty = this.words.may_be_empty && mode === "all" && !negated && !children.length;
      this.area.value = JSON.stringify(isEmpty ? {} : write(this.top), null, 2);
      this.root.dispatchEvent(new Event("change", { bubbles: true }));
    }

    // Steps were moved: conditions go on asking of the same ones. `places` is {old: new}.
    renumber(places) {
      if (this.problem.textContent) return; // What is typed there is no definition yet.
      let isMoved = false;
      const visit = (node) => {
        if (node.mode) node.children.forEach(visit);
        else if (node.values.step in places) {
          node.values.step = places[node.values.step];
          isMoved = true;
        }
      };
      visit(this.top);
      if (isMoved) this.redraw(null);
    }

    redraw(focus) {
      this.changed();
      this.draw();
      const target = focus && this.tree.querySelector(`[data-focus="${focus}"]`);
      if (target) target.focus();
    }

    // --- The tree ------------------------------------------------------------------------------
    draw() {
      this.ids = 0;
      this.tree.replaceChildren(this.group(this.top, null, "/definition", 0));
    }

    group(node, parent, pointer, depth) {
      const here = node.negated ? `${pointer}/not` : pointer;
      const chosen = MODES.findIndex(([mode, negated]) => mode === node.mode && negated === node.negated);
      const choice = make("select", {
        class: "cm-input",
        "aria-label": "How these conditions combine",
        onchange: (event) => {
          [node.mode, node.negated] = MODES[event.target.value];
          this.redraw(null);
        },
      });
      MODES.forEach(([, , words], n) => choice.append(make("option", { value: String(n), selected: n === chosen }, words)));
      const id = `g${this.ids++}`;
      const rows = node.children.map((child, n) => {
        const at = `${here}/${node.mode}/${n}`;
        return child.mode ? this.group(child, node, at, depth + 1) : this.leaf(child, node, at);
      });
      const add = (child) => () => {
        node.children.push(child());
        this.redraw(`${id}-add`);
        this.tree.querySelector(`[data-group="${id}"] > .cm-rows > :last-child select`)?.focus();
      };
      const [first] = this.words.conditions;
      return make(
        "fieldset",
        { class: `cm-group${parent ? "" : " is-top"}`, "data-pointer": here, "data-group": id },
        make(
          "div",
          { class: "cm-group-head" },
          make("span", {}, parent ? "where" : this.words.subject),
          choice,
          parent ? this.remover(node, parent, "Remove this group") : null,
        ),
        make("div", { class: "cm-rows" }, ...(rows.length ? rows : [this.nothing(node)])),
        make(
          "div",
          { class: "cn-actions" },
          make("button", { type: "button", class: "cn-btn cn-btn--small", "data-focus": `${id}-add`,
            onclick: add(() => ({ negated: false, name: first.name, values: {} })) }, "+ Condition"),
          depth + 1 < this.words.deepest
            ? make("button", { type: "button", class: "cn-btn cn-btn--small",
                onclick: add(() => ({ negated: false, mode: "any", children: [] })) }, "+ Group")
            : null,
        ),
      );
    }

    nothing(node) {
      const isTrue = (node.mode === "all") !== node.negated;
      return make("p", { class: "cn-dim cn-small" }, isTrue ? this.words.nothing : this.words.never);
    }

    leaf(node, parent, pointer) {
      const here = node.negated ? `${pointer}/not` : pointer;
      const known = this.conditions.get(node.name);
      const id = `c${this.ids++}`;
      const choice = make("select", {
        class: "cm-input",
        "aria-label": "Condition",
        "data-focus": id,
        onchange: (event) => {
          node.name = event.target.value;
          const keep = this.conditions.get(node.name).parameters.map((each) => each.name);
          node.values = Object.fromEntries(Object.entries(node.values).filter(([key]) => keep.includes(key)));
          this.redraw(id);
        },
      });
      if (!known) choice.append(make("option", { value: node.name, selected: true }, `${node.name} (unknown)`));
      const groups = new Map();
      for (const each of this.words.conditions) {
        if (!groups.has(each.group)) {
          groups.set(each.group, each.group ? make("optgroup", { label: each.group }) : choice);
          if (each.group) choice.append(groups.get(each.group));
        }
        groups.get(each.group).append(make("option", { value: each.name, selected: each.name === node.name }, each.title));
      }
      const negation = make("input", {
        type: "checkbox", checked: node.negated,
        onchange: (event) => { node.negated = event.target.checked; this.redraw(`${id}-not`); },
        "data-focus": `${id}-not`,
      });
      return make(
        "div",
        { class: `cm-row${node.negated ? " is-negated" : ""}`, "data-pointer": here },
        make("div", { class: "cm-row-head" },
          make("label", { class: "cm-not" }, negation, "not"),
          choice,
          this.remover(node, parent, "Remove this condition")),
        make("div", { class: "cm-parameters" },
          ...(known ? known.parameters.map((each) => this.parameter(node, each, here)) : [])),
        make("p", { class: "cn-dim cn-small" }, known ? known.summary : "Cairn knows no such condition."),
      );
    }

    remover(node, parent, words) {
      return make("button", {
        type: "button", class: "cm-remove", "aria-label": words, title: words,
        onclick: (event) => {
          const group = event.target.closest("[data-pointer]").parentElement.closest("[data-group]").dataset.group;
          parent.children.splice(parent.children.indexOf(node), 1);
          this.redraw(`${group}-add`);
        },
      }, "×");
    }

    parameter(node, parameter, pointer) {
      const { name, type } = parameter;
      const take = (event) => {
        const said = event.target.value;
        if (said === "") delete node.values[name];
        else node.values[name] = type === "whole" || type === "number" ? Number(said) : said;
        this.forget();
        this.changed();
      };
      const given = node.values[name] ?? "";
      const input = type === "choice" ? this.choice(parameter, given, take) : this.input(parameter, given, take);
      input.setAttribute("data-pointer", `${pointer}/${name}`);
      // A refusal is written into the label: it must not become part of the name.
      input.setAttribute("aria-label", parameter.title);
      return make("label", { class: "cm-parameter" },
        make("span", {}, parameter.title, parameter.is_required ? "" : make("i", {}, " optional")),
        input, type === "search" ? this.suggestions(input, parameter) : null);
    }

    choice(parameter, given, take) {
      const select = make("select", { class: "cm-input", onchange: take });
      const choices = [["", parameter.is_required ? "choose …" : "any"], ...parameter.choices];
      if (given && !choices.some(([value]) => value === given)) choices.push([given, `${given} (unknown)`]);
      for (const [value, words] of choices) select.append(make("option", { value, selected: value === given }, words));
      return select;
    }

    input(parameter, given, take) {
      const isNumber = parameter.type === "whole" || parameter.type === "number";
      const input = make("input", {
        class: "cm-input", type: isNumber ? "number" : "text", autocomplete: "off",
        placeholder: parameter.is_required ? "" : "any", maxlength: "200", oninput: take,
      });
      if (isNumber) {
        input.min = "0";
        input.step = parameter.type === "whole" ? "1" : parameter.highest === 1 ? "0.05" : "any";
        if (parameter.highest) input.max = String(parameter.highest);
      }
      input.value = String(given);
      return input;
    }

    suggestions(input, parameter) {
      const list = make("datalist", { id: `names-${Math.random().toString(36).slice(2)}` });
      input.setAttribute("list", list.id);
      input.placeholder = "type a name or code";
      let waiting;
      input.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(async () => {
          const query = new URLSearchParams({ source: parameter.source, term: input.value });
          const answer = await fetch(`${this.root.dataset.names}?${query}`);
          if (!answer.ok) return;
          const { names } = await answer.json();
          list.replaceChildren(...names.map(([value, words]) => make("option", { value }, words)));
        }, 200);
      });
      return list;
    }

    // --- Refusals, beside what they are about --------------------------------------------------
    forget() {
      for (const old of this.root.querySelectorAll(".cm-refusal")) old.remove();
      for (const old of this.root.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
    }

    point(pointer, detail) {
      this.forget();
      const wanted = pointer || "";
      const places = [...this.tree.querySelectorAll("[data-pointer]")].filter(
        ({ dataset }) => wanted === dataset.pointer || wanted.startsWith(`${dataset.pointer}/`),
      );
      const place = places.sort((a, b) => a.dataset.pointer.length - b.dataset.pointer.length).pop();
      const told = make("p", { class: "cn-errors cm-refusal", role: "alert" }, detail);
      if (!place) this.tree.append(told);
      else if (place.matches("input, select")) {
        place.setAttribute("aria-invalid", "true");
        place.parentElement.append(told);
      } else {
        place.append(told);
        place.querySelector(":scope > .cm-row-head > select")?.setAttribute("aria-invalid", "true");
      }
      place?.scrollIntoView({ block: "center", behavior: "instant" });
    }

    // --- Asking the server ---------------------------------------------------------------------
    async post(address, values) {
      const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
      const body = new URLSearchParams({ definition: this.area.value, ...values });
      const answer = await fetch(address, { method: "POST", body, headers: { "X-CSRFToken": token } });
      const found = await answer.json().catch(() => ({ detail: "The server did not answer as expected." }));
      return { ok: answer.ok, found };
    }

    async asking(place, address, values, show) {
      place.replaceChildren(make("p", { class: "cn-dim" }, "Asking …"));
      this.forget();
      const { ok, found } = await this.post(address, values).catch(() => ({
        ok: false, found: { detail: "The server cannot be reached." },
      }));
      if (ok) return place.replaceChildren(...show(found));
      place.replaceChildren(make("p", { class: "cn-errors" }, found.detail));
      if (found.pointer) this.point(found.pointer, found.detail);
    }

    count() {
      this.asking(this.ask.querySelector("[data-counted]"), this.root.dataset.count, {}, (found) => [
        make("p", { class: "cm-count" }, make("b", {}, found.count.toLocaleString("en")), found.count === 1 ? " member" : " members"),
        found.sample.length
          ? make("ul", { class: "cm-sample" }, ...found.sample.map((member) => this.member(member)))
          : make("p", { class: "cn-dim cn-small" }, found.count ? "None of them at your store." : "Nobody, as of now."),
      ]);
    }

    member({ number, name, city }) {
      return make("li", {},
        make("span", {}, make("span", { class: "cn-strong" }, name || number), make("span", { class: "cn-dim" }, city ? `, ${city}` : "")),
        make("button", { type: "button", class: "cn-link cn-small", "aria-label": `Why is ${name || number} in it?`,
          onclick: () => { this.ask.querySelector("[data-member]").value = number; this.explain(); } }, "why?"));
    }

    explain() {
      const member = this.ask.querySelector("[data-member]").value;
      const place = this.ask.querySelector("[data-explained]");
      this.asking(place, this.root.dataset.explain, { member }, (found) => [
        make("p", { class: "cn-strong" }, `${found.member} is ${found.is_in ? "in it" : "not in it"}.`),
        make("ul", { class: "cm-clauses" }, ...found.clauses.map((clause) =>
          make("li", { class: clause.is_true ? "is-true" : "is-false", style: `--depth:${clause.depth}` },
            make("span", { "aria-label": clause.is_true ? "yes" : "no" }, clause.is_true ? "✓" : "✗"), clause.text))),
      ]);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const build = (within) => {
      for (const root of within.querySelectorAll("[data-audience-builder]")) root.builder ??= new Builder(root);
    };
    build(document);
    document.addEventListener("builders-added", (event) => build(event.target));
  });
})();
