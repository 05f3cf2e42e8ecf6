
"use strict";
// The page is complete without this: it adds a copy button, quick tooltips, and one cursor through all pictures.
(() => {
  const code = document.getElementById("command");
  const copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  code.parentElement.append(copy);

  // <title> elements become tooltips of our own, which show at once.
  const said = new WeakMap();
  for (const title of document.querySelectorAll(".chart title")) {
    said.set(title.parentElement, title.textContent);
    title.remove();
  }
  const tip = document.createElement("div");
  tip.className = "tip";
  document.body.append(tip);
  const areas = [...document.querySelectorAll(".area")].filter((area) => area.tagName === "DIV");
  const cursors = areas.map((area) => {
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    area.append(cursor);
    return cursor;
  });
  const textAt = (target) => {
    for (let at = target; at; at = at.parentElement) if (said.has(at)) return said.get(at);
    return "";
  };
  const move = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    for (const cursor of cursors) {
      cursor.style.visibility = place >= 0 && place <= 1 ? "visible" : "hidden";
      cursor.style.left = `${place * 100}%`;
    }
    const text = textAt(event.target);
    tip.style.visibility = text ? "visible" : "hidden";
    tip.textContent = text;
    const left = event.clientX + 14;
    tip.style.left = `${left + tip.offsetWidth > innerWidth ? event.clientX - tip.offsetWidth - 14 : left}px`;
    tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight)}px`;
  };
  const leave = () => { for (const it of [tip, ...cursors]) it.style.visibility = "hidden"; };
  for (const area of areas) {
    area.addEventListener("pointermove", move);
    area.addEventListener("pointerleave", leave);
  }
})();
