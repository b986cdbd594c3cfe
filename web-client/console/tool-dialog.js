import { h, icon } from '../shared/dom.js';
import { CheckLoop } from './check-loop.js';
import { ask, choiceField, labelled, textField, wrong } from './dialog.js';
import { diffView } from './diff-view.js';
import { problem, stateMark } from './panels.js';
import { placeOf, sortFindings } from './policies-model.js';
import { findingRow } from './policy-file.js';
import { changeWords, correlates, EFFECTS, entryOf, formOf, METHODS, parametersFor, parsed } from './tool-form.js';

/**
 * Asks for all that a tool is, says while one types what the server would say of it, and publishes it with a reason.
 * @param {{catalog: object, tool?: object}} about `tool` is the one to be changed.
 */
export function askForTool({ catalog, tool = null }, deps, ondone) {
  const source = tool?.source ?? null;
  const form = formOf(source);
  const name = textField('name', { value: form.name, placeholder: 'crm.find', maxLength: 64, autofocus: !tool });
  const description = textField('description', { value: form.description, placeholder: 'Finds a customer by name. The model reads this.', maxLength: 1000, autofocus: Boolean(tool) });
  const effect = choiceField('effect', Object.entries(EFFECTS), form.effect);
  const kind = choiceField('kind', form.kind === 'mcp' ? [['mcp', 'An MCP server, as the file says']] : [['http', 'Asked over HTTP'], ['builtin', 'Built in']], form.kind, { disabled: form.kind === 'mcp' });
  const builtin = choiceField('builtin', [['', 'Choose one'], ...(catalog.builtins ?? []).map((one) => [one, one])], form.builtin);
  const method = choiceField('method', METHODS.map((one) => [one, one]), form.method);
  const url = textField('url', { value: form.url, placeholder: 'https://crm.example.com/customers/{id}', maxLength: 2000 });
  const hosts = textField('hosts', { value: form.hosts, placeholder: 'The host of the address', maxLength: 1000 });
  const headers = h('textarea.field.tf-lines', { name: 'headers', value: form.headers, rows: 2, spellcheck: false, placeholder: 'authorization: Bearer ${CRM_TOKEN}' });
  const sendsBody = h('input', { type: 'checkbox', name: 'body', id: 'f-body', checked: form.sendsBody });
  const parameters = h('textarea.field.tf-code', { name: 'parameters', value: form.parameters, rows: 9, spellcheck: false, autocapitalize: 'off' });
  const schema = h('p.tf-schema', { role: 'status' });
  const correlate = h('select.field', { name: 'correlate' });
  const roles = textField('roles', { value: form.roles, placeholder: 'everyone', maxLength: 500 });
  const cost = textField('cost', { value: form.cost, placeholder: '0', inputMode: 'decimal', maxLength: 20 });
  const timeout = textField('timeout', { value: form.timeout, placeholder: '30s', maxLength: 10 });
  const http = h('div.dg-body', null, h('div.dg-row.tf-address', null, labelled('Method', method), labelled('Address', url, 'Arguments stand in braces; each is one piece of the path or the query')),
    h('label.dg-check', { htmlFor: 'f-body' }, sendsBody, h('span', null, 'The other arguments are sent as a JSON body')),
    h('details.bg-more', null, h('summary', null, h('span', null, 'Headers, other hosts'), icon('chevron')),
      labelled('Headers', headers, `One a line. A secret is named as \${NAME}: ${variableWords(catalog)}`), labelled('Hosts', hosts, 'That may be connected to, redirects included. Addresses inside your networks are refused')));
  const inside = labelled('Which', builtin, 'What the server itself can do');
  const read = () => ({
    name: name.value, description: description.value, effect: effect.value, kind: kind.value, builtin: builtin.value, method: method.value, url: url.value, hosts: hosts.value, headers: headers.value,
    sendsBody: sendsBody.checked, parameters: parameters.value, correlate: correlate.value, roles: roles.value, cost: cost.value, timeout: timeout.value,
  });
  const tell = () => {
    http.hidden = kind.value !== 'http';
    inside.hidden = kind.value !== 'builtin';
    sendsBody.disabled = method.value === 'GET';
    const { problem: said = '' } = parsed(parameters.value);
    schema.hidden = said === '';
    schema.replaceChildren(said && icon('alert'), said);
    const known = correlates(parameters.value);
    const chosen = correlate.value || form.correlate;
    correlate.replaceChildren(...['', ...known].map((one) => h('option', { value: one }, one || 'nothing')));
    correlate.value = known.includes(chosen) ? chosen : '';
  };
  builtin.addEventListener('change', () => {
    // What fits the tool, while nobody has written anything else.
    if (!tool && (parameters.value === form.parameters || parameters.dataset.made === parameters.value)) {
      parameters.value = parametersFor(builtin.value);
      parameters.dataset.made = parameters.value;
    }
  });
  const dialog = askToPublish({
    title: tool ? `Change ${tool.name}` : 'New tool', catalog, deps, ondone, said: tool ? `${tool.name} is changed.` : 'The tool is made. It can be called from now on, as far as the policies let.',
    body: [
      h('div.dg-row', null, labelled('Name', name), labelled('Effect', effect)), labelled('Description', description), labelled('How it is made', kind), http, inside,
      labelled('Parameters', parameters, 'JSON Schema, closed: every object says additionalProperties: false'), schema,
      h('details.bg-more', null, h('summary', null, h('span', null, 'Who may call it, price, time'), icon('chevron')),
        h('div.dg-row', null, labelled('Roles', roles, 'Of the key that calls; the policies decide besides'), labelled('Price', cost, 'US dollars a call'), labelled('Time', timeout, 'Until it is given up')),
        labelled('Names the thing by', correlate, 'The argument that people and logs call it by')),
    ],
    edits() {
      const { tool: entry, problem: said, field } = entryOf(read(), source);
      if (said) throw wrong(said, field);
      if (!tool && catalog.data.some((one) => one.name === entry.name)) throw wrong('There is a tool of that name.', 'name');
      return [{ name: tool?.name ?? entry.name, tool: entry }];
    },
  });
  dialog.form.addEventListener('input', tell);
  dialog.form.addEventListener('change', tell);
  tell();
  return dialog;
}

const variableWords = ({ publish, variables = [] }) => (publish === 'all' ? 'any variable of the server’s environment.' : variables.length > 0 ? `${variables.join(', ')} may be named here.` : 'the server’s tools.variables has none yet.');

/** Asks before a tool goes: with the policies that would break. */
export function askToRemoveTool(catalog, tool, deps, ondone) {
  return askToPublish({
    title: `Take ${tool.name} away?`, tone: 'cut', action: 'Take it away', catalog, deps, ondone, said: `${tool.name} is taken away.`, isReady: true,
    body: [h('p', null, 'No model is told of it any more, and no call of it begins. Calls that run go on to their end. To stop it for a while, switch it off instead.')],
    edits: () => [{ name: tool.name, tool: null }],
  });
}

/** A version from before beside the one in force, and the way back to it. */
export function askToRollBack(catalog, version, text, deps, ondone) {
  return askToPublish({
    title: 'Roll the tools back?', action: 'Roll back', catalog, deps, ondone, said: 'Rolled back.', isReady: true,
    body: [h('p', null, 'The whole file becomes what it was then, as a change that the log keeps.')], check: { text },
    publish: (reason) => deps.api.rollBackTools(version, catalog.version, reason),
  });
}

/** What the changes of tools have in common: a check as one types, the lines that change, a reason. */
function askToPublish({ title, action = 'Publish', tone = '', body, catalog, deps, ondone, said, edits, check, publish, isReady = false }) {
  const { api, refused, say } = deps;
  const reason = textField('reason', { placeholder: 'Why it changes', maxLength: 500 });
  const verdict = h('div.tf-verdict', { aria: { live: 'polite' } });
  const state = h('span.hint', { role: 'status' });
  const draft = () => check ?? { edits: edits() };
  const show = (result) => verdict.replaceChildren(...verdictView(result, catalog));
  const loop = new CheckLoop({
    check: () => api.checkTools(draft()), onresult: show, onstate: (text) => { state.textContent = text; },
    // Fields that are not filled in yet are no news; publishing tells.
    onerror: (error) => (error.field === undefined && !refused(error) ? verdict.replaceChildren(problem('It could not be checked.', error, () => loop.now())) : verdict.replaceChildren()),
  });
  const dialog = ask({
    title, action, tone, wide: true, onclose: () => loop.stop(),
    body: [...body, h('div.tf-check', null, verdict, state), labelled('Reason', reason, 'Stands in the log, with who and what')],
    async onsubmit() {
      const wanted = publish ? null : edits();
      if (reason.value.trim() === '') throw wrong('Say why: the reason stands in the log.', 'reason');
      try {
        const answer = await (publish ? publish(reason.value.trim()) : api.publishTools(wanted, catalog.version, reason.value.trim()));
        say(said);
        ondone(answer);
      } catch (error) {
        if (refused(error)) return;
        if (error.status === 422 && error.body?.findings) show({ ok: false, findings: error.body.findings });
        if (error.code === 'version_conflict') error.message += ' Close this, and the page shows what is in force.';
        throw error;
      }
    },
  });
  dialog.form.addEventListener('input', (event) => event.target !== reason && loop.soon());
  if (isReady) loop.now();
  return dialog;
}

/** Whether it would be in force, what was found, and the lines of the file that change. */
function verdictView({ ok, findings = [], text, changes }, catalog) {
  const warnings = findings.filter((one) => one.severity !== 'info');
  return [
    h('p.dry-verdict', { data: { verdict: ok ? 'done' : 'cut' } }, ok ? stateMark('It can be published', 'check', 'done') : stateMark('It would be refused', 'deny', 'cut'), h('span', null, ok ? changeWords(changes) : '')),
    warnings.length > 0 && h('ul.findings', null, ...sortFindings(warnings).map((one) => findingRow(one, one.file === catalog.file ? one.rule ?? 'the catalog' : placeOf(one) || 'the policies'))),
    ok && typeof text === 'string' && typeof catalog.text === 'string' && text !== catalog.text
      && h('details.bg-more', null, h('summary', null, h('span', null, `What changes in ${catalog.file}`), icon('chevron')), diffView([{ name: catalog.file, from: catalog.file, kind: 'changed', before: catalog.text, after: text }])),
  ].filter(Boolean);
}
