/** Asks again and again, ever more slowly, until it is stopped. */

const FIRST_MS = 300;
const FACTOR = 1.5;
const LONGEST_MS = 15_000;

/** @template T */
export class Watcher {
  /**
   * @param {() => Promise<T>} ask
   * @param {(answer: T) => void} onAnswer
   * @param {(error: unknown) => void} onError
   */
  constructor(ask, onAnswer, onError) {
    this.ask = ask;
    this.onAnswer = onAnswer;
    this.onError = onError;
    this.delay = FIRST_MS;
    this.round = 0;
    this.running = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    document.addEventListener("visibilitychange", () => {
      if (this.running && !document.hidden) this.soon();
    });
  }

  /** Something is about to change: ask now, and then often again. */
  soon() {
    this.running = true;
    this.delay = FIRST_MS;
    this.#again(0);
  }

  stop() {
    this.running = false;
    this.round += 1;
    clearTimeout(this.timer);
  }

  /** @param {number} delay */
  #again(delay) {
    this.round += 1;
    const round = this.round;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#once(round), delay);
  }

  /** @param {number} round an answer that comes after a newer question was asked is dropped */
  async #once(round) {
    try {
      const answer = document.hidden ? null : await this.ask();
      if (round !== this.round) return;
      if (answer !== null) this.onAnswer(answer);
    } catch (error) {
      if (round !== this.round) return;
      this.onError(error);
    }
    if (round !== this.round) return;
    this.#again(this.delay);
    this.delay = Math.min(this.delay * FACTOR, LONGEST_MS);
  }
}
