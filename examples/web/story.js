/** What this page saw of a booking, kept in this tab so that a reload shows it again. No secret is in it. */

/** @typedef {import("./view.js").Entry} Entry */
/** @typedef {import("./api.js").Line} Line */
/** @typedef {import("./refund.js").Refund} Refund */
/** @typedef {{item: string, entries: Entry[], refund?: Refund | null, cancelled?: boolean}} Story */

const MOST_ENTRIES = 50;

/** @param {string} id */
const keyOf = (id) => `airport-story-${id}`;

/**
 * @param {string} id
 * @returns {Story}
 */
function load(id) {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(id)) ?? "") ?? { item: "Booking", entries: [] };
  } catch {
    return { item: "Booking", entries: [] };
  }
}

/**
 * @param {string} id
 * @param {Story} story
 */
function save(id, story) {
  sessionStorage.setItem(keyOf(id), JSON.stringify(story));
}

/**
 * @param {string} id
 * @param {string} item what was booked
 */
export function rememberItem(id, item) {
  save(id, { ...load(id), item });
}

/**
 * @param {string} id
 * @returns {string} what was booked
 */
export function remembered(id) {
  return load(id).item;
}

/**
 * Keep a refund that has no answer yet: after a reload it is asked for again, as the same one.
 * @param {string} id
 * @param {Refund | null} refund null once it is answered
 */
export function rememberRefund(id, refund) {
  save(id, { ...load(id), refund });
}

/**
 * @param {string} id
 * @returns {Refund | null} the refund that has no answer yet
 */
export function openRefund(id) {
  return load(id).refund ?? null;
}

/** @param {string} id of a booking that the customer cancelled here */
export function rememberCancelled(id) {
  save(id, { ...load(id), cancelled: true });
}

/** @param {string} id */
export function cancelledHere(id) {
  return load(id).cancelled ?? false;
}

/**
 * @param {string} id
 * @param {string} text
 * @param {import("./words.js").Tone} tone
 */
export function remember(id, text, tone) {
  const story = load(id);
  const entries = [...story.entries, { at: Date.now(), text, tone, by: "this page" }].slice(-MOST_ENTRIES);
  save(id, { ...story, entries });
}

/**
 * @param {string} id
 * @returns {Entry[]} what this page saw, oldest first
 */
export function entries(id) {
  return load(id).entries;
}

/**
 * Put what this page saw beside what the airport wrote down.
 * @param {string} id
 * @param {Line[]} lines the airport's, oldest first
 * @returns {Entry[]} oldest first
 */
export function told(id, lines) {
  const written = lines.map(({ at, text, tone, event }) => ({
    at: Date.parse(at), text, tone, by: event === null ? "the airport" : "the airport, by webhook",
  }));
  return [...entries(id), ...written].sort((one, other) => one.at - other.at);
}
