/** What happened to a booking, and what was booked, kept in this tab so that a reload shows it again. No secret is in it. */

/** @typedef {import("./view.js").Entry} Entry */
/** @typedef {{item: string, entries: Entry[]}} Story */

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
 * @param {string} id
 * @param {string} text
 * @param {import("./words.js").Tone} tone
 */
export function remember(id, text, tone) {
  const story = load(id);
  const entries = [...story.entries, { at: Date.now(), text, tone }].slice(-MOST_ENTRIES);
  save(id, { ...story, entries });
}

/**
 * @param {string} id
 * @returns {Entry[]} oldest first
 */
export function entries(id) {
  return load(id).entries;
}
