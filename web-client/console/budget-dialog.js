import { h, icon } from '../shared/dom.js';
import { parseAmount } from '../chat/windows.js';
import { Bar } from './bar.js';
import { limitProblem, limitWords, PERIODS, previewWords, scopeText, subject, UNITS, widened, windowOf } from './budget-model.js';
import { ask, choiceField, labelled, textField, wrong } from './dialog.js';

/** A preview is asked for when the typing rests. */
const REST_MS = 350;
const RUNS_SHOWN = 5;

/**
 * Sets a budget, or changes the limit of one: with what would be cut by it now.
 * @param {{scope?: string, window?: object, scopes?: string[], models?: string[], tools?: string[]}} about `window` is the one to be changed.
 */
export function askForBudget({ scope = '', window = null, scopes = [] }, { api, say, refused, streams }, ondone) {
  const whose = textField('scope', { value: scope || window?.text || '', placeholder: 'project:acme/web', offers: scopes, maxLength: 400, disabled: Boolean(window) });
  const unit = choiceField('unit', Object.entries(UNITS).map(([value, [, word]]) => [value, word]), window?.unit ?? 'usd', { disabled: Boolean(window) });
  const period = choiceField('window', Object.entries(PERIODS), window?.period ?? 'day', { disabled: Boolean(window) });
  const limit = textField('limit', { value: window?.row.limit ?? '', placeholder: '5.00', inputMode: 'decimal', maxLength: 20, autofocus: true });
  const model = textField('model', { value: window?.model ?? '', placeholder: 'All models', maxLength: 128, disabled: Boolean(window) });
  const tool = textField('tool', { value: window?.tool ?? '', placeholder: 'All tools', maxLength: 128, disabled: Boolean(window) });
  const zone = textField('zone', { value: window?.zone ?? '', placeholder: 'UTC', maxLength: 64, disabled: Boolean(window) });
  const preview = h('div.bg-preview', { aria: { live: 'polite' } });
  const more = h('details.bg-more', null, h('summary', null, h('span', null, 'For one model, one tool, another zone'), icon('chevron')),
    h('div.dg-row', null, labelled('Model', model), labelled('Tool', tool), labelled('Zone', zone)));
  const body = () => {
    const value = { scope: whose.value.trim(), unit: unit.value, window: unit.value === 'runs' ? 'total' : period.value, limit: limit.value.trim() };
    for (const [name, field] of Object.entries({ model, tool, zone })) if (field.value.trim()) value[name] = field.value.trim();
    return value;
  };
  let ticket = 0;
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    period.disabled = Boolean(window) || unit.value === 'runs';
    timer = setTimeout(show, REST_MS);
  };
  const show = async () => {
    const mine = ticket += 1;
    const asked = body();
    if (!/^(org|project|user|key):\S+$/.test(asked.scope) || limitProblem(asked.limit, asked.unit) !== '') return preview.replaceChildren();
    try {
      const answer = await api.send('POST', '/api/admin/budgets/preview', asked);
      if (mine === ticket) preview.replaceChildren(...previewParts(asked, widened(asked, answer, streams.all)));
    } catch (error) {
      if (mine === ticket && !refused(error)) preview.replaceChildren(h('p.hint', null, `There is no preview: ${error.message}`));
    }
  };
  const dialog = ask({
    title: window ? 'Change this budget' : 'Set a budget', action: window ? 'Change it' : 'Set it', wide: true,
    body: [
      window ? h('p', null, h('strong', null, scopeText(window.text)), ' · ', subject(window)) : labelled('For whom', whose, 'org:NAME, project:ORG/NAME, user:ORG/PROJECT/NAME or key:ID'),
      window ? labelled('Limit', limit, `Now ${limitWords(window)}. What is used stays used.`)
        : h('div.dg-row', null, labelled('Of what', unit), labelled('Limit', limit), labelled('In', period)),
      !window && more, preview,
    ],
    async onsubmit() {
      const value = body();
      if (!/^(org|project|user|key):\S+$/.test(value.scope)) throw wrong('Say for whom, such as project:acme/web.', 'scope');
      const problem = limitProblem(value.limit, value.unit);
      if (problem) throw wrong(problem, 'limit');
      try {
        const row = await api.send('PUT', '/api/admin/budgets', value);
        say(`The budget of ${scopeText(value.scope)} is ${limitWords({ limit: parseAmount(value.limit, value.unit), unit: value.unit })}.`);
        ondone(row ?? value);
      } catch (error) {
        if (!refused(error)) throw error;
      }
    },
    onclose: () => clearTimeout(timer),
  });
  for (const field of [whose, unit, period, limit, model, tool, zone]) field.addEventListener('input', look);
  look();
  return dialog;
}

/** The bar as it would be, and which runs it would cut. */
function previewParts(asked, answer) {
  const [text, sign, tone] = previewWords(answer);
  const would = windowOf({ ...asked, ...answer });
  const bar = new Bar();
  if (would) bar.update(would);
  const cut = answer.would_cut ?? [];
  return [
    h('p.label', null, 'As it would be'), would && bar.element, h('p.bg-verdict', { data: { tone } }, icon(sign), h('span', null, text)),
    cut.length > 0 && h('ul.bg-cut', null, ...cut.slice(0, RUNS_SHOWN).map((run) => h('li', null, h('code', null, run.run_id), h('span', null, [run.user, run.model].filter(Boolean).join(' · ')))),
      cut.length > RUNS_SHOWN && h('li.hint', null, `and ${cut.length - RUNS_SHOWN} more`)),
  ].filter(Boolean);
}

/** Asks before a budget goes. */
export function askToRemove(window, { api, say, refused }, ondone) {
  return ask({
    title: 'Remove this budget?', action: 'Remove it', tone: 'cut',
    body: [h('p', null, h('strong', null, scopeText(window.text)), ` · ${subject(window)}: ${limitWords(window)}`),
      h('p', null, 'Nothing limits this any more, except what stands above it in the tree. What was used stays in the ledger.')],
    async onsubmit() {
      const { scope, unit, window: period, model, tool } = window.row;
      try {
        await api.send('DELETE', '/api/admin/budgets', undefined, { query: { scope, unit, window: period, model, tool } });
        say('The budget was removed.');
        ondone();
      } catch (error) {
        if (refused(error)) return;
        if (error.status === 404) return void ondone();
        throw error;
      }
    },
  });
}
