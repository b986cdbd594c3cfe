import { OutputTail } from './output-tail.js';
import { PartialString } from './partial-json.js';
import { identify } from '../shared/values.js';
import { codeLine } from './tool-words.js';

/** Names that stand for code; a card of code shows what runs. */
const CODE = 'run_code';
const ENDS = new Set(['completed', 'error', 'skipped']);
/** Members that say something about the call beside what it is. */
const RESOURCES = ['cpu_ms', 'cpu_ns', 'wall_ms', 'wall_ns', 'memory_bytes', 'memory_peak', 'memory_peak_bytes'];

/**
 * The tool calls of one run, from its steps and deltas in order. Pure: the cards draw what stands here.
 *
 * A call: `{id, tool, parent, isCode, phase, text, args, code, what, decision, rule, decisionId, result, error, exit, output,
 * resources, isTruncated, omitted, nested, beganAt, endedAt}`; `parent` is the id of the code that made it, instants are the
 * server's milliseconds.
 */
export class ToolModel {
  #calls = new Map();
  #byIndex = new Map();
  #approvals = new Map(); // id of a pending approval → id of the call that waits, or null

  get calls() { return [...this.#calls.values()]; }
  get(id) { return this.#calls.get(id); }

  /** @returns {{call: object, isNew: boolean, isPhaseNew: boolean}|null} null when it tells of no call, or of one that has ended. */
  step({ event = {}, data = {}, ts = 0 }) {
    if (!data.tool) return null;
    const id = String(data.call_id || (data.index !== undefined ? `#${data.index}` : this.#openOf(data.tool)?.id ?? data.tool));
    const known = this.#calls.get(id);
    if (known && isOver(known)) return null;
    const call = known ?? this.#add(id, data, ts);
    const before = known?.phase;
    if (data.index !== undefined) this.#byIndex.set(data.index, call);
    this.#learn(call, data);
    call.phase = phase(call, event.status, data);
    // The time of a call is that of its making; the model's writing of the arguments is no part of it.
    if (before === 'writing' && call.phase !== 'writing') call.beganAt = ts;
    if (ENDS.has(event.status)) this.#end(call, data, ts);
    return { call, isNew: !known, isPhaseNew: before !== call.phase };
  }

  /** A piece of a call's arguments. @returns {object|null} the call. */
  argument({ text = '', index = 0 }) {
    const call = this.#byIndex.get(index);
    if (!call || call.phase !== 'writing') return null;
    call.text += text;
    if (call.isCode) call.code = (call.code ?? '') + call.reader.push(text);
    return call;
  }

  /** @returns {object|null} the call that it is about, where that is known. */
  approval({ id, tool, args, state }) {
    const isPending = state === 'pending' || state === 'waiting' || !state;
    if (isPending) {
      const open = this.calls.filter((call) => call.tool === tool && call.phase === 'running');
      const same = open.find((call) => JSON.stringify(call.args) === JSON.stringify(args)) ?? open[0];
      if (!this.#approvals.has(id)) this.#approvals.set(id, same?.id ?? null);
    }
    const call = this.#calls.get(this.#approvals.get(id));
    if (!isPending) this.#approvals.delete(id);
    if (call && !isOver(call)) call.phase = isPending ? 'waiting' : 'running';
    return call ?? null;
  }

  /** The run has ended; what is still open never will. @returns {object[]} the calls that this closed. */
  settle(hasGap, ts = 0) {
    const open = this.calls.filter((call) => !isOver(call));
    for (const call of open) {
      call.phase = hasGap ? 'unseen' : call.isOurs ? 'stopped' : 'handed';
      call.endedAt = ts || call.beganAt;
    }
    return open;
  }

  /** What the run waits for, in words; '' when no call is open. */
  waiting() {
    const open = this.calls.filter((call) => !isOver(call));
    const busy = open.filter((call) => call.phase !== 'writing');
    // Code waits for what it called.
    const inner = busy.filter((call) => !busy.some((other) => other.parent === call.id));
    if (inner.length > 0) {
      const [first] = inner;
      const more = inner.length > 1 ? ` and ${inner.length - 1} more` : '';
      return `Waiting for ${first.tool}${first.parent ? ', called by code' : ''}${more}`;
    }
    const writing = open[open.length - 1];
    return writing ? (writing.isCode ? 'Writing code' : `Writing a call of ${writing.tool}`) : '';
  }

  #openOf(tool) { return this.calls.findLast((call) => call.tool === tool && !isOver(call)); }

  #add(id, data, ts) {
    const isCode = data.tool === CODE;
    const call = {
      id, tool: data.tool, parent: data.parent_call_id ?? '', isCode, isOurs: data.server === true, phase: 'writing', text: '', what: '',
      nested: 0, isTruncated: false, omitted: [], beganAt: ts, endedAt: 0,
    };
    if (isCode) Object.assign(call, { code: '', output: new OutputTail(), reader: new PartialString('code') });
    this.#calls.set(id, call);
    const parent = this.#calls.get(call.parent);
    if (parent) parent.nested += 1;
    return call;
  }

  #learn(call, data) {
    if (data.server === true) call.isOurs = true;
    if (data.args !== undefined) {
      call.args = data.args;
      if (call.isCode && typeof data.args?.code === 'string') call.code = data.args.code;
    }
    call.what = call.isCode ? codeLine(call.code) : identify(call.args);
    if (call.output && data.stream) call.output.push(data.stream, data.text);
    if (data.truncated) call.isTruncated = true;
    if (data.omitted) call.omitted = data.omitted;
    call.decision = data.decision ?? call.decision;
    call.rule = data.rule ?? data.error?.rule ?? call.rule;
    call.decisionId = data.decision_id ?? call.decisionId;
    const own = Object.fromEntries(RESOURCES.filter((name) => name in data).map((name) => [name, data[name]]));
    const told = data.resources ?? data.usage;
    if (told || Object.keys(own).length > 0) call.resources = { ...call.resources, ...told, ...own };
  }

  #end(call, data, ts) {
    call.endedAt = ts;
    call.error = data.error;
    call.result = data.result ?? (data.value === null ? undefined : data.value);
    call.exit = data.exit;
    call.output?.complete(data);
  }
}

export const isOver = (call) => !['writing', 'running', 'waiting'].includes(call.phase);

function phase(call, status, data) {
  if (status === 'completed') return 'done';
  if (status === 'skipped') return 'skipped';
  if (status === 'error') return data.decision === 'deny' ? 'denied' : 'failed';
  // Code has its arguments at once, when it makes the call.
  if (status === 'started') return call.parent ? 'running' : 'writing';
  return call.phase === 'waiting' ? 'waiting' : 'running';
}
