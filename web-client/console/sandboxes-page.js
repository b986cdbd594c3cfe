import { h } from '../shared/dom.js';
import { killWords, levelWords, poolWords, probeName, runsWords, sortProbes } from './catalog-words.js';
import { loading, problem, sample, stateMark } from './panels.js';

/** How well code is shut in on this server: the level, and each probe that says so. */
export class SandboxesPage {
  title = 'Sandboxes';
  isScoped = false;
  #ticket = 0;

  constructor(deps) {
    this.deps = deps;
    this.element = h('div.narrow', null, loading());
  }

  show() { this.#load(); }

  async #load() {
    const ticket = ++this.#ticket;
    try {
      const report = await this.deps.api.isolation();
      if (ticket === this.#ticket) this.#draw(report);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.element.replaceChildren(problem('The report of the probes could not be read.', error, () => this.#load()));
    }
  }

  #draw(report) {
    const [word, sign, tone, text] = levelWords(report);
    const probes = sortProbes(report.probes ?? []);
    const failed = probes.filter((probe) => !probe.passed).length;
    const facts = [['Sandboxes', poolWords(report.pool) || undefined], ['Killed', killWords(report) || undefined], ['cgroups', report.cgroups], ['Landlock', report.landlock_abi > 0 ? `version ${report.landlock_abi} of its interface` : report.landlock_abi === 0 ? 'not there' : undefined]]
      .filter(([, value]) => value !== undefined);
    this.element.replaceChildren(...[
      h('section.sb-level', { data: { tone } }, stateMark(word, sign, tone), h('p', null, text), runsWords(report) && h('p.hint', null, runsWords(report))),
      facts.length > 0 && h('dl.facts.sb-facts', null, ...facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)])),
      h('h2.section-title', null, probes.length === 0 ? 'Probes' : failed === 0 ? `All ${probes.length} probes passed` : `${failed} of ${probes.length} probes did not pass`),
      probes.length > 0 ? h('ul.sb-probes', null, ...probes.map(probeRow))
        : h('div', null, h('p.hint', null, 'Nothing was probed. What the machine could do is told by:'), sample('kdcube doctor')),
    ].filter(Boolean));
  }
}

function probeRow(probe) {
  return h('li.sb-probe', { data: { probe: probe.name, passed: String(probe.passed) } },
    stateMark(probe.passed ? 'Passed' : 'Failed', probe.passed ? 'check' : 'deny', probe.passed ? 'done' : 'cut'), h('span.sb-name', null, probeName(probe.name)),
    h('span.sb-found', null, 'found ', h('code', null, probe.found || 'nothing'), !probe.passed && '; expected ', !probe.passed && h('code', null, probe.expected)),
    !probe.passed && probe.fix && h('p.sb-fix', null, probe.fix));
}
