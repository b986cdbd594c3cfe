/** Browser storage that may be forbidden (private windows, embedded frames): then values last as long as the page. */
function wrap(area) {
  const memory = new Map();
  return {
    get(key) {
      try {
        return area().getItem(key) ?? memory.get(key) ?? null;
      } catch {
        return memory.get(key) ?? null;
      }
    },
    set(key, value) {
      memory.set(key, value);
      try {
        area().setItem(key, value);
      } catch {
        // Kept in memory above.
      }
    },
    remove(key) {
      memory.delete(key);
      try {
        area().removeItem(key);
      } catch {
        // Nothing was stored.
      }
    },
  };
}

/** Preferences. */
export const store = wrap(() => globalThis.localStorage);
/** The key: for this tab only, gone when it closes. */
export const session = wrap(() => globalThis.sessionStorage);
