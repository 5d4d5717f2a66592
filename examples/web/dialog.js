/** Modal dialogs: the focus stays inside, and Escape is an answer like any other. */

/**
 * Move the focus round inside a dialog instead of out of it.
 * @param {HTMLDialogElement} dialog
 * @param {KeyboardEvent} event
 */
function goRound(dialog, event) {
  if (event.key !== "Tab") return;
  const all = [.../** @type {NodeListOf<HTMLInputElement>} */ (dialog.querySelectorAll("button, input, a[href]"))];
  // As the browser does it: what is hidden is passed over, and of radio buttons the chosen one stands for all.
  const stops = all.filter((stop) => stop.checkVisibility() && (stop.type !== "radio" || stop.checked));
  const at = stops.indexOf(/** @type {HTMLInputElement} */ (document.activeElement));
  const next = stops[(at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length];
  event.preventDefault();
  next?.focus();
}

/**
 * Show a dialog and wait for the answer.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLButtonElement} yes
 * @param {HTMLButtonElement} no
 * @param {() => boolean} [check] whether a yes may be one yet
 * @returns {Promise<boolean>} false also for Escape
 */
export function answerOf(dialog, yes, no, check = () => true) {
  return new Promise((resolve) => {
    const done = new AbortController();
    const { signal } = done;
    /** @param {boolean} answer */
    const end = (answer) => {
      done.abort();
      dialog.close();
      resolve(answer);
    };
    const agree = () => { if (check()) end(true); };
    yes.addEventListener("click", agree, { signal });
    no.addEventListener("click", () => end(false), { signal });
    dialog.addEventListener("keydown", (event) => {
      goRound(dialog, event);
      if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
      event.preventDefault();
      agree();
    }, { signal });
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); end(false); }, { signal });
    dialog.showModal();
  });
}
