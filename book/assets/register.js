/* Filters the register of corrections by article and by kind of fault. Without it the page shows all entries. */
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const entries = [...document.querySelectorAll("dl.book-entries > dt[class*='kind-']")];
  if (!entries.length) return;
  const chinese = document.documentElement.lang.startsWith("zh");
  const words = chinese
    ? { article: "原文", kind: "类别", all: "全部", count: (n, all) => `显示${n}条，共${all}条` }
    : { article: "Article", kind: "Kind", all: "all", count: (n, all) => `${n} of ${all} entries` };
  /* The entries themselves name the kinds in the page's language. */
  const label = (kind) => document.querySelector(`.fault-${kind}`).textContent.trim();
  const choices = {
    article: ["a0", "a1", "a2", "a3", "a4"].map((name) => [name, name.toUpperCase()]),
    kind: ["wrong", "imprecise", "outdated", "unsourced", "withdrawn"].filter((kind) => document.querySelector(`.fault-${kind}`)).map((kind) => [kind, label(kind)]),
  };
  const form = document.createElement("form");
  form.className = "register-filter";
  const count = document.createElement("output");
  const selects = Object.entries(choices).map(([name, options]) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.name = name;
    for (const [value, text] of [["", words.all], ...options]) select.add(new Option(text, value));
    label.append(words[name], " ", select);
    form.append(label);
    return select;
  });
  form.append(count);
  const apply = () => {
    let shown = 0;
    for (const term of entries) {
      const matches = selects.every((select) => !select.value || term.classList.contains(`${select.name}-${select.value}`));
      term.hidden = !matches;
      term.nextElementSibling.hidden = !matches;
      shown += matches;
    }
    for (const list of document.querySelectorAll("dl.book-entries"))
      list.closest("section").hidden = !list.querySelector("dt:not([hidden])");
    count.value = words.count(shown, entries.length);
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  /* A link to an entry must reach it even if the filter hid it. */
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) { form.reset(); apply(); target.scrollIntoView(); }
  });
  entries[0].closest("dl").closest("section").before(form);
  apply();
});
