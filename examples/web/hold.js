/** Counts down while a booking is held. */

const SECOND_MS = 1000;

/** @param {number} ms */
function minutesAndSeconds(ms) {
  const seconds = Math.ceil(Math.max(ms, 0) / SECOND_MS);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export class Countdown {
  /**
   * @param {(left: string) => void} show empty for nothing
   * @param {() => void} onOver
   */
  constructor(show, onOver) {
    this.show = show;
    this.onOver = onOver;
    /** @type {number | null} */
    this.until = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Whether the hold is over. A booking that is not held has none that could be. */
  get over() {
    return this.until !== null && Date.now() >= this.until;
  }

  /**
   * @param {string | undefined} until as the airport says it; undefined for ever
   * @param {boolean} counts whether it still matters
   */
  start(until, counts) {
    this.stop();
    this.until = until === undefined ? null : Date.parse(until);
    if (this.until !== null && counts) this.#step(this.until);
  }

  /** Show nothing more. */
  stop() {
    clearTimeout(this.timer);
    this.show("");
  }

  /** @param {number} until */
  #step(until) {
    const left = until - Date.now();
    this.show(minutesAndSeconds(left));
    if (left <= 0) return this.onOver();
    this.timer = setTimeout(() => this.#step(until), left % SECOND_MS || SECOND_MS);
    return undefined;
  }
}
