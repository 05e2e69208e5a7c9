// The page on which a campaign is written: shows the fields of the chosen kind, adds and removes
// versions, shows the scene, fills words in where one types. Without it everything is still there.
"use strict";

(() => {
  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("[data-campaign-editor]");
    if (form) [kinds, every, variants, saved, code, mistake].forEach((part) => part(form));
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

  function variants(form) {
    const place = form.querySelector("[data-variants]");
    const template = place.querySelector("[data-variant-template]");
    const total = form.querySelector("[name=variants-TOTAL_FORMS]");
    let typed = null;

    const scene = (variant) => {
      const image = variant.querySelector("[data-thumbnail]");
      const chosen = variant.querySelector("select[name$=-image]").value;
      image.hidden = !chosen;
      if (chosen) image.src = form.dataset.scenes.replace("SCENE", encodeURIComponent(chosen));
    };

    place.querySelectorAll("[data-variant]").forEach((variant) => {
      scene(variant);
      variant.hidden = variant.querySelector("[name$=-DELETE]").checked;
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
        variant.querySelector("[name$=-DELETE]").checked = true;
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
      const holder = document.createElement("div");
      holder.innerHTML = template.innerHTML.replaceAll("__prefix__", total.value);
      const added = holder.firstElementChild;
      total.value = String(Number(total.value) + 1);
      template.before(added);
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
    const first = form.querySelector(".has-errors .cm-input, [data-variant] .cn-errors");
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
