/** Modal dialogs: the focus stays inside, and Escape is an answer like any other. */

/**
 * Move the focus round inside a dialog instead of out of it.
 * @param {HTMLDialogElement} dialog
 * @param {KeyboardEvent} event
 */
function goRound(dialog, event) {
  if (event.key !== "Tab") return;
  const stops = [.../** @type {NodeListOf<HTMLElement>} */ (dialog.querySelectorAll("button, input, a[href]"))];
  const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = stops[(at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length];
  event.preventDefault();
  next?.focus();
}

/**
 * Show a dialog and wait for the answer.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLButtonElement} yes
 * @param {HTMLButtonElement} no
 * @returns {Promise<boolean>} false also for Escape
 */
export function answerOf(dialog, yes, no) {
  return new Promise((resolve) => {
    const done = new AbortController();
    const { signal } = done;
    /** @param {boolean} answer */
    const end = (answer) => {
      done.abort();
      dialog.close();
      resolve(answer);
    };
    yes.addEventListener("click", () => end(true), { signal });
    no.addEventListener("click", () => end(false), { signal });
    dialog.addEventListener("keydown", (event) => goRound(dialog, event), { signal });
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); end(false); }, { signal });
    dialog.showModal();
  });
}
