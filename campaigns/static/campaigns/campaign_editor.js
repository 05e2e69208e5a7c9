// The page on which a campaign is written: shows the fields of the chosen kind, adds, moves and
// removes steps and their versions, shows the scene, fills words in where one types. Without it
// everything that exists can still be edited.
"use strict";

(() => {
  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("[data-campaign-editor]");
    if (form) [kinds, every, chosen, steps, saved, code, mistake].forEach((part) => part(form));
  });

  const slug = (text) =>
    text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 64);

  function kinds(form) {
    const show = () => {
      const kind = form.querySelector("[name=entry-kind]:checked")?.value;
      for (const part of form.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== kind;
    };
    form.addEventListener("change", (event) => event.target.name === "entry-kind" && show());
    show();
  }

  function every(form) {
    const choice = form.querySelector("[name=entry-every]");
    const show = () => {
      for (const part of form.querySelectorAll("[data-every]")) {
        part.hidden = !part.dataset.every.split(" ").includes(choice.value);
      }
    };
    choice.addEventListener("change", show);
    show();
  }

  function chosen(form) {
    // Fields that count for some choices only: the goal's interaction, the days before they return.
    for (const [name, key] of [["goal_kind", "goal"], ["reentry", "reentry"]]) {
      const choice = form.querySelector(`[name=${name}]`);
      const show = () => {
        for (const part of form.querySelectorAll(`[data-${key}]`)) {
          part.hidden = !part.dataset[key].split(" ").includes(choice.value);
        }
      };
      choice.addEventListener("change", show);
      show();
    }
  }

  const scripted = (within) => {
    for (const part of within.querySelectorAll("[data-plain]")) part.hidden = true;
    for (const part of within.querySelectorAll("[data-scripted]")) part.hidden = false;
  };

  const grown = (template, total, placeholder) => {
    const holder = document.createElement("div");
    holder.innerHTML = template.innerHTML.replaceAll(placeholder, placeholder.replace("__prefix__", total.value));
    const added = holder.firstElementChild;
    total.value = String(Number(total.value) + 1);
    template.before(added);
    scripted(added);
    return added;
  };

  const gone = (part) => part.querySelector(`[data-plain] [name$=-DELETE]`);

  // --- Steps -----------------------------------------------------------------------------------
  function steps(form) {
    const place = form.querySelector("[data-steps]");
    const template = place.querySelector("[data-step-template]");
    const total = form.querySelector("[name=steps-TOTAL_FORMS]");
    const add = place.querySelector("[data-add-step]");
    const shown = () => [...place.querySelectorAll(":scope > [data-step]:not([hidden])")];

    const number = () => {
      const places = {};
      shown().forEach((step, n) => {
        const order = step.querySelector("[name$=-ORDER]");
        const before = step.dataset.number;
        if (before && before !== String(n + 1)) places[before] = n + 1;
        step.dataset.number = order.value = String(n + 1);
        step.setAttribute("aria-label", `Step ${n + 1}`);
        step.querySelector("[data-step-title]").textContent = `Step ${n + 1}`;
        step.querySelector("[data-first]").hidden = n > 0;
        step.querySelector("[data-later]").hidden = n === 0;
        step.querySelector("[data-move=up]").disabled = n === 0;
        step.querySelector("[data-move=down]").disabled = n === shown().length - 1;
        step.querySelector("[data-remove-step]").disabled = shown().length === 1;
      });
      add.disabled = shown().length >= Number(place.dataset.most);
      if (!Object.keys(places).length) return;
      for (const each of place.querySelectorAll("[data-audience-builder]")) each.builder?.renumber(places);
    };

    const swap = (step, other, isUp) => {
      if (isUp) other.before(step);
      else other.after(step);
      // Whoever is no longer the first waits as the one did that is now: else both come at once.
      const [first, second] = shown();
      const wait = (of, name) => of.querySelector(`[name$=-${name}]`);
      if ([first, second].includes(step) && [first, second].includes(other) && !wait(second, "wait").value) {
        for (const name of ["wait", "wait_unit", "local_time"]) wait(second, name).value = wait(first, name).value;
      }
      number();
      step.scrollIntoView({ block: "nearest", behavior: "instant" });
    };

    scripted(place);
    for (const step of place.querySelectorAll(":scope > [data-step]")) {
      step.hidden = gone(step).checked;
      variants(form, step);
    }
    number();
    place.addEventListener("click", (event) => {
      const step = event.target.closest("[data-step]");
      const move = event.target.closest("[data-move]");
      if (move) {
        const isUp = move.dataset.move === "up";
        const other = shown()[shown().indexOf(step) + (isUp ? -1 : 1)];
        if (other) swap(step, other, isUp);
        (move.disabled ? step.querySelector("[data-move]:not(:disabled)") : move)?.focus();
      }
      if (event.target.closest("[data-remove-step]")) {
        gone(step).checked = true;
        step.hidden = true;
        delete step.dataset.number;
        number();
        add.focus();
      }
    });
    add.addEventListener("click", () => {
      const added = grown(template, total, "steps-__prefix__");
      variants(form, added);
      added.dispatchEvent(new CustomEvent("builders-added", { bubbles: true }));
      number();
      added.querySelector("[name$=-wait]").focus();
    });
  }

  // --- Versions of a step ----------------------------------------------------------------------
  function variants(form, step) {
    const place = step.querySelector("[data-variants]");
    const template = place.querySelector("[data-variant-template]");
    const total = place.querySelector("[name$=-TOTAL_FORMS]");
    let typed = null;

    const scene = (variant) => {
      const image = variant.querySelector("[data-thumbnail]");
      const chosen = variant.querySelector("select[name$=-image]").value;
      image.hidden = !chosen;
      if (chosen) image.src = form.dataset.scenes.replace("SCENE", encodeURIComponent(chosen));
    };

    place.querySelectorAll("[data-variant]").forEach((variant) => {
      scene(variant);
      variant.hidden = gone(variant).checked;
    });
    place.addEventListener("change", (event) => {
      if (event.target.name?.endsWith("-image")) scene(event.target.closest("[data-variant]"));
    });
    place.addEventListener("focusin", (event) => {
      if (event.target.matches("textarea, input[type=text]")) typed = event.target;
    });
    place.addEventListener("click", (event) => {
      const variant = event.target.closest("[data-variant]");
      if (event.target.closest("[data-remove-variant]")) {
        gone(variant).checked = true;
        variant.hidden = true;
        place.querySelector("[data-add-variant]").focus();
      }
      const word = event.target.closest("[data-word]");
      if (word) {
        // Into the field one typed in last, if it belongs to this version; else into its message.
        const field = typed && variant.contains(typed) ? typed : variant.querySelector("textarea");
        field.setRangeText(`{{ ${word.dataset.word} }}`, field.selectionStart, field.selectionEnd, "end");
        field.focus();
      }
    });
    place.querySelector("[data-add-variant]").addEventListener("click", () => {
      const added = grown(template, total, "variants-__prefix__");
      const taken = [...place.querySelectorAll("[data-variant]:not([hidden]) select[name$=-interest]")].map((each) => each.value);
      const choice = added.querySelector("select[name$=-interest]");
      const free = [...choice.options].find((option) => option.value && !taken.includes(option.value));
      if (free) choice.value = free.value;
      scene(added);
      choice.focus();
    });
  }

  function mistake(form) {
    // The first field that needs another word, where it is seen and where typing goes.
    const first = form.querySelector(".has-errors .cm-input, [data-step]:not([hidden]) .cn-errors");
    first?.scrollIntoView({ block: "center", behavior: "instant" });
    if (first?.matches("input, select, textarea")) first.focus({ preventScroll: true });
  }

  function saved(form) {
    const choice = form.querySelector("[data-start-from]");
    if (!choice) return;
    const audiences = JSON.parse(document.getElementById("saved-audiences").textContent);
    choice.addEventListener("change", () => {
      const chosen = audiences[choice.value];
      if (chosen) form.querySelector("[data-audience-builder]").builder.set(chosen.definition);
    });
  }

  function code(form) {
    if (!("isNew" in form.dataset)) return;
    const name = form.querySelector("[name=name]");
    const field = form.querySelector("[name=code]");
    let isOurs = !field.value;
    field.addEventListener("input", () => { isOurs = false; });
    name.addEventListener("input", () => { if (isOurs) field.value = slug(name.value); });
  }
})();
