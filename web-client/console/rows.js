/** Rows by id, as a list that is loaded in pages and changed by news. Pure. */
export class Rows {
  #byId = new Map();

  /** @param {{max?: number, newest?: (row: object) => number}} options `max` rows are kept, the newest. */
  constructor({ max = 5000, newest = (row) => row.at ?? 0 } = {}) {
    this.max = max;
    this.newest = newest;
  }

  get size() { return this.#byId.size; }
  get all() { return [...this.#byId.values()]; }

  get(id) { return this.#byId.get(id); }

  /**
   * Takes rows in; a row that is known is changed, not replaced: news may leave out what only its owner is told.
   * @returns {object[]} those that are new.
   */
  merge(rows) {
    const added = [];
    for (const row of rows ?? []) {
      if (!row?.id) continue;
      const known = this.#byId.get(row.id);
      if (!known) added.push(row);
      this.#byId.set(row.id, { ...known, ...row });
    }
    this.#trim();
    return added;
  }

  clear() { this.#byId.clear(); }

  #trim() {
    if (this.#byId.size <= this.max) return;
    const sorted = this.all.sort((a, b) => this.newest(b) - this.newest(a));
    for (const row of sorted.slice(this.max)) this.#byId.delete(row.id);
  }
}
