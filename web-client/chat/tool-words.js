import { elapsed, identify, show } from '../shared/values.js';

/** What the cards of tools say. Pure text, so that each word has a test. */

/** Phase of a call → word, icon, tone. Never colour alone. */
export const PHASES = {
  writing: ['Writing', 'live', 'running'],
  running: ['Running', 'live', 'running'],
  waiting: ['Waiting', 'person', 'waiting'],
  done: ['Done', 'check', 'done'],
  denied: ['Denied', 'deny', 'cut'],
  failed: ['Failed', 'alert', 'cut'],
  skipped: ['Skipped', 'skip', 'muted'],
  stopped: ['Stopped', 'stop', 'muted'],
  handed: ['Handed over', 'skip', 'muted'],
  unseen: ['End not seen', 'help', 'muted'],
};

const EXITS = {
  ok: 'Ran to its end', error: 'Ended with an error', timeout: 'Stopped: it took too long', oom: 'Stopped: out of memory',
  cpu_limit: 'Stopped: too much CPU time', output_limit: 'Stopped: it wrote too much', protocol_limit: 'Stopped: it asked too much of the server',
  forbidden_syscall: 'Stopped: it tried what no code here may do', killed: 'Stopped from outside',
};

export const exitWords = (exit) => EXITS[exit] ?? `Ended: ${exit}`;

/** What code is about, on one line: its first line that is no import and no comment. */
export function codeLine(code) {
  const lines = (code ?? '').split('\n').map((line) => line.trim()).filter(Boolean);
  return identify(lines.find((line) => !/^(#|import\b|from\b)/.test(line)) ?? lines[0] ?? '');
}

const DECISIONS = { allow: 'Allowed', deny: 'Denied', approval: 'Allowed after approval', needs_approval: 'Needs approval' };

/** "Denied by rule only-mailers", and the decision's id to quote. */
export function decisionWords({ decision, rule, decisionId }) {
  if (!decision && !rule) return '';
  const word = DECISIONS[decision] ?? decision ?? 'Decided';
  return `${word}${rule ? ` by rule ${rule}` : ''}${decisionId ? `\nDecision ${decisionId}` : ''}`;
}

/** An error as its message, then its code: whoever reads it needs the first and quotes the second. The decision names the rule. */
export function errorWords(error) {
  if (!error || typeof error !== 'object') return error ? String(error) : '';
  const { code, message, rule, ...more } = error;
  const rest = Object.keys(more).length > 0 ? show(more) : '';
  return [message, code && `Code ${code}`, rest].filter(Boolean).join('\n');
}

const bytes = (n) => (n < 1024 * 1024 ? `${Math.max(1, Math.round(n / 1024))} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`);

/** "CPU 210 ms · memory 14.2 MiB": of what the server tells, if it tells. */
export function resourceWords(resources) {
  const known = resources && typeof resources === 'object' ? resources : {};
  const number = (...names) => names.map((name) => known[name]).find((value) => typeof value === 'number' && value >= 0);
  const time = (name) => number(`${name}_ms`) ?? (number(`${name}_ns`) === undefined ? undefined : number(`${name}_ns`) / 1e6);
  const [cpu, wall, memory] = [time('cpu'), time('wall'), number('memory_bytes', 'memory_peak', 'memory_peak_bytes')];
  return [
    cpu !== undefined && `CPU ${elapsed(cpu)}`, wall !== undefined && `time ${elapsed(wall)}`, memory !== undefined && `memory ${bytes(memory)}`,
  ].filter(Boolean).join(' · ');
}

/** What a screen reader is told; '' for what would only be noise. Calls made by code are counted at its end. */
export function sentence(call) {
  if (call.parent) return call.phase === 'denied' ? `${call.tool} was denied${call.rule ? ` by rule ${call.rule}` : ''}.` : '';
  const name = call.isCode ? 'Code' : call.tool;
  const after = call.isCode && call.nested > 0 ? ` It made ${call.nested} tool ${call.nested === 1 ? 'call' : 'calls'}.` : '';
  switch (call.phase) {
    case 'running': return call.isCode ? 'Code runs.' : `${name} is called${call.what ? ` for ${call.what}` : ''}.`;
    case 'done': return `${name} is done.${after}`;
    case 'denied': return `${name} was denied${call.rule ? ` by rule ${call.rule}` : ''}.`;
    case 'failed': return `${name} failed.${call.exit ? ` ${exitWords(call.exit)}.` : ''}${after}`;
    case 'skipped': return `${name} was not called.`;
    case 'stopped': return `${name} was stopped.${after}`;
    default: return '';
  }
}
