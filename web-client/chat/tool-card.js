import { h, icon, setText } from './dom.js';
import { formatClock, formatDuration, parseInstant } from './time.js';

const STATES = {
  started: ['Waiting', 'waiting'], running: ['Running', 'running'], completed: ['Done', 'done'], error: ['Failed', 'cut'],
  skipped: ['Skipped', 'muted'],
};
/** Live output of code kept on the page. */
const MAX_OUTPUT = 20000;

/** One line for a tool call; opens to its arguments, its decision and its result. It changes in place. */
export class ToolCard {
  #began = Date.now();
  #output = '';

  constructor(name) {
    this.name = name;
    this.state = h('span.state');
    this.what = h('span.what');
    this.time = h('span.num.time');
    this.body = h('div.tool-body');
    this.element = h('details.tool', null,
      h('summary', null, icon('tool'), h('span.tool-name', null, name), this.what, this.state, this.time, icon('chevron')), this.body);
  }

  /** @returns {boolean} whether the run now waits for this tool. */
  update({ event = {}, data = {} }) {
    const [word, tone] = STATES[event.status] ?? STATES.running;
    setText(this.state, data.decision === 'deny' ? 'Denied' : word);
    this.state.dataset.tone = data.decision === 'deny' ? 'cut' : tone;
    if (data.args) setText(this.what, argument(data.args));
    if (data.stream) this.#output = (this.#output + (data.text ?? '')).slice(-MAX_OUTPUT);
    const over = ['completed', 'error', 'skipped'].includes(event.status);
    if (over) setText(this.time, formatDuration(Date.now() - this.#began));
    this.facts = { ...this.facts, ...data };
    this.#fill();
    return !over;
  }

  #fill() {
    const { args, decision, rule, result, error, exit, stdout, stderr, value } = this.facts;
    const output = stdout !== undefined ? `${stdout}${stderr ?? ''}` : this.#output;
    const rows = [
      ['Arguments', args && show(args)], ['Decision', decision && `${decision}${rule ? ` · rule ${rule}` : ''}`],
      ['Output', output], ['Exit', exit], ['Value', value !== undefined && value !== null ? show(value) : ''],
      ['Result', result !== undefined ? show(result) : ''], ['Error', error && show(error)],
    ].filter(([, text]) => text);
    this.body.replaceChildren(...rows.map(([name, text]) => h('div.fact', null, h('span', null, name), h('pre', { tabIndex: 0 }, text))));
  }
}

/** The argument that identifies the thing: the first short value. */
function argument(args) {
  const value = args && typeof args === 'object' ? Object.values(args).find((v) => ['string', 'number'].includes(typeof v)) : args;
  const text = String(value ?? '').split('\n')[0];
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

const show = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

/** An approval that the run waits for: what exactly would happen, who may decide, and how long is left. */
export class ApprovalCard {
  constructor() {
    this.title = h('p');
    this.table = h('dl');
    this.element = h('section.notice.is-waiting', { aria: { label: 'Approval' } }, icon('person'), h('div', null, this.title, this.table));
  }

  update(approval) {
    const until = parseInstant(approval.expires_at);
    const open = approval.state === 'pending' || approval.state === 'waiting' || !approval.state;
    setText(this.title, open
      ? `${approval.tool} waits for approval by ${approval.from ?? 'an approver'}${until ? ` until ${formatClock(until)}` : ''}.`
      : `${approval.tool}: ${approval.state}.`);
    this.element.classList.toggle('is-waiting', open);
    const rows = Object.entries(approval.args ?? {}).flatMap(([name, value]) => [h('dt', null, name), h('dd', null, show(value))]);
    this.table.replaceChildren(...rows);
    return open;
  }
}
