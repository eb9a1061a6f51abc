// The search of the list, and each type's phase on the day of reading. Pages work without this script.
"use strict";

const plain = (text) => text.normalize("NFKC").toLowerCase();

// 1. The phase: the words stand in the page, the day is today's in the type's own zone.
function phaseOf([inForce, deprecated, sunset], day) {
  if (sunset !== "-" && day >= sunset) return "ended";
  if (deprecated !== "-" && day >= deprecated) return "deprecated";
  return day >= inForce ? "in-force" : "announced";
}

function today(offset) {
  const [hours, minutes] = offset.slice(1).split(":").map(Number);
  const east = (offset[0] === "-" ? -1 : 1) * (hours * 60 + minutes);
  return new Date(Date.now() + east * 60_000).toISOString().slice(0, 10);
}

function sayPhases() {
  const words = document.getElementById("phases");
  for (const place of document.querySelectorAll(".phase")) {
    const phase = phaseOf(place.dataset.days.split(" "), today(place.dataset.offset));
    place.textContent = words.getAttribute(`data-${phase}`);
    place.classList.add(phase);
    place.hidden = false;
  }
}

// 2. The search: an entry is found if every word of the question is somewhere in it.
function prepared(card) {
  const phrases = card.dataset.words.split("\n");
  const shown = plain(card.dataset.shown);
  return { card, phrases, shown, all: `${shown}\n${plain(card.dataset.words)}`, why: card.querySelector(".why") };
}

function show(entry, words) {
  const found = words.every((word) => entry.all.includes(word));
  const unseen = words.filter((word) => !entry.shown.includes(word));
  const why = found ? entry.phrases.filter((phrase) => unseen.some((word) => plain(phrase).includes(word))) : [];
  entry.why.textContent = why.slice(0, 3).join("\n");
  entry.why.hidden = why.length === 0;
  entry.card.hidden = !found;
  return found;
}

function startSearch(box) {
  const entries = [...document.querySelectorAll(".cards > li")].map(prepared);
  const status = document.getElementById("found");
  const search = () => {
    const words = plain(box.value).split(/\s+/).filter(Boolean);
    const found = entries.filter((entry) => show(entry, words)).length;
    for (const section of document.querySelectorAll("main > section")) {
      const here = section.querySelectorAll(".cards > li:not([hidden])").length;
      section.hidden = here === 0;
      section.querySelector(".count").textContent = here;
    }
    status.textContent = words.length ? status.dataset.found.replace("{n}", found) : "";
    document.getElementById("nothing").hidden = found > 0;
  };
  box.addEventListener("input", search);
  addEventListener("pageshow", search); // going back, a browser fills the box again
  document.addEventListener("keydown", (event) => move(event, box, search));
  document.getElementById("searching").hidden = false;
  search();
}

// 3. Keys: / begins, Esc clears, the arrows go through the results, Enter in the box opens the first.
function move(event, box, search) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll(".cards > li:not([hidden]) a")];
  const at = document.activeElement === box ? -1 : links.indexOf(document.activeElement);
  const among = document.activeElement === box || at >= 0;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "/" && document.activeElement !== box) box.focus();
  else if (event.key === "Escape" && among) { box.value = ""; search(); box.focus(); }
  else if (event.key === "Enter" && document.activeElement === box && links.length) links[0].click();
  else if (step && among) (links[at + step] ?? (at + step < 0 ? box : document.activeElement)).focus();
  else return;
  event.preventDefault();
}

// 4. On paper everything is open.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});

sayPhases();
const box = document.getElementById("search");
if (box) startSearch(box);
