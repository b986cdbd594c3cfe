import { copyButton, h, icon } from '../shared/dom.js';
import { ALL_ORGS } from './address.js';
import { PERIODS, UNITS } from './budget-model.js';
import { ask, choiceField, labelled, onceKey, textField, wrong } from './dialog.js';
import { GRACES, keyBody, keyName, LIVES, wordsOf } from './key-model.js';
import { sample } from './panels.js';

const BUDGETS_MAX = 5;

/**
 * Asks for all that a key is, makes it, and shows its secret once.
 * @param {{org: string, project?: string, user?: string, isOperator: boolean, offers: {orgs: string[], projects: string[], users: string[], models: string[]}}} about
 */
export function askForKey(about, { api, say, refused }, ondone) {
  const { offers } = about;
  const org = textField('org', { value: about.org === ALL_ORGS ? '' : about.org, offers: offers.orgs, maxLength: 128 });
  const project = textField('project', { value: about.project ?? '', placeholder: 'web', offers: offers.projects, maxLength: 128, autofocus: !about.project });
  const user = textField('user', { value: about.user ?? '', placeholder: 'ana', offers: offers.users, maxLength: 128 });
  const alias = textField('alias', { placeholder: 'web-frontend', maxLength: 128, autofocus: Boolean(about.project) });
  const roles = textField('roles', { placeholder: 'none', offers: ['admin', ...(about.isOperator ? ['operator'] : [])] });
  const models = textField('models', { placeholder: 'all', offers: offers.models });
  const life = choiceField('life', Object.entries(LIVES), '');
  const date = h('input.field', { type: 'date', name: 'date', aria: { label: 'Valid until' }, hidden: true });
  life.addEventListener('change', () => { date.hidden = life.value !== 'date'; });
  const service = h('input', { type: 'checkbox', name: 'service', id: 'f-service' });
  const budgets = budgetFields();
  const once = onceKey();
  return ask({
    title: 'New key', action: 'Make the key', wide: true,
    body: [
      h('div.dg-row', null, about.isOperator && labelled('Organisation', org), labelled('Project', project), labelled('User', user, 'Empty for a key of the project')),
      h('div.dg-row', null, labelled('Alias', alias, 'A name for people'), labelled('Valid', life), date),
      h('div.dg-row', null, labelled('Models', models, 'Which it may call, with spaces between'), labelled('Roles', roles, 'admin opens this console')),
      h('label.dg-check', { htmlFor: 'f-service' }, service, h('span', null, 'A service account: a program, not a person')),
      budgets.element,
    ],
    async onsubmit(dialog) {
      const { body, problem, field } = keyBody({
        org: about.isOperator ? org.value.trim() : '', project: project.value.trim(), user: user.value.trim(), alias: alias.value.trim(), roles: wordsOf(roles.value), models: wordsOf(models.value),
        life: life.value, date: date.value, serviceAccount: service.checked, budgets: budgets.read(),
      }, Date.now());
      if (problem) throw wrong(problem, field);
      try {
        const row = await api.send('POST', '/api/admin/keys', body, { once });
        ondone(row);
        say('The key was made. Its secret is shown once.');
        showSecret(dialog, row, 'The key was made');
        return true;
      } catch (error) {
        if (refused(error)) return undefined;
        throw Object.assign(error, { field: error.details?.param ?? undefined });
      }
    },
  });
}

/** Budgets of the key's own, each a limit, a unit and a time. */
function budgetFields() {
  const list = h('div.ky-budgets');
  const add = h('button.quiet', { type: 'button', onclick: () => { list.append(row()); list.lastElementChild.querySelector('input').focus(); renumber(); } }, icon('plus'), 'A budget of its own');
  const renumber = () => {
    [...list.children].forEach((one, at) => { one.querySelector('input').name = `limit-${at}`; });
    add.hidden = list.childElementCount >= BUDGETS_MAX;
  };
  const row = () => {
    const own = h('div.ky-budget', null,
      textField('limit', { placeholder: '5.00', inputMode: 'decimal', maxLength: 20, aria: { label: 'Limit' } }),
      choiceField('unit', Object.entries(UNITS).map(([value, [, word]]) => [value, word]), 'usd', { aria: { label: 'Of what' } }),
      choiceField('window', Object.entries(PERIODS), 'day', { aria: { label: 'In' } }),
      h('button.quiet', { type: 'button', aria: { label: 'Take this budget away' }, onclick: () => { own.remove(); renumber(); } }, icon('close')));
    return own;
  };
  return {
    element: h('div.dg-field', null, list, add),
    read: () => [...list.children].map((one) => ({ limit: one.querySelector('input').value.trim(), unit: one.querySelector('[name=unit]').value, window: one.querySelector('[name=window]').value })),
  };
}

/** The secret, in the place of the form. It is nowhere else: only the button closes it. */
function showSecret(dialog, row, title) {
  const { key: secret } = row;
  dialog.retitle(title);
  dialog.element.dataset.firm = 'true';
  const done = h('button.button.primary', { type: 'button', onclick: () => dialog.close() }, secret ? 'I have kept it' : 'Close');
  const shown = secret ? [
    h('div.panel.is-warning', null, icon('alert'), h('p', null, h('strong', null, 'This is the only time that it is shown.'), ' The server keeps a digest and can never tell it again.')),
    h('div.ky-secret', null, h('output', { aria: { label: 'The key' } }, h('code', null, secret)), copyButton('Copy the key', () => secret)),
    h('p', null, 'Use it as any OpenAI client does:'),
    sample(`curl ${location.origin}/v1/chat/completions -H "authorization: Bearer ${secret}" \\\n  -H "content-type: application/json" \\\n  -d '{"model": "${row.models?.[0] ?? 'demo'}", "messages": [{"role": "user", "content": "Hello"}]}'`, 'Copy the command'),
    h('p.links', null, h('a', { href: `../#key=${secret}`, target: '_blank', rel: 'noopener' }, 'Open the chat with it')),
  ] : [h('p', null, 'This request was answered before; the secret was shown then and is not shown again. Rotate the key if nobody has kept it.')];
  dialog.replace(h('div.dg-body', null, ...shown), h('div.dg-actions', null, done));
  done.focus();
}

/** A new secret for the same key; the old one is good until the grace is over. */
export function askToRotate(key, { api, say, refused }, ondone) {
  const grace = choiceField('grace', Object.entries(GRACES), '86400', { autofocus: true });
  const once = onceKey();
  return ask({
    title: 'Rotate this key?', action: 'Rotate it', wide: true,
    body: [h('p', null, h('strong', null, keyName(key)), ' gets a successor with the same roles, models and budgets. Whoever uses the old one has to change to the new one before it ends.'),
      labelled('The old one ends', grace)],
    async onsubmit(dialog) {
      try {
        const row = await api.send('POST', `/api/admin/keys/${encodeURIComponent(key.id)}/rotate`, { grace_seconds: Number(grace.value) }, { once });
        ondone(row);
        say('The key was rotated. The new secret is shown once.');
        showSecret(dialog, row, 'The new key');
        return true;
      } catch (error) {
        if (!refused(error)) throw error;
        return undefined;
      }
    },
  });
}

export function askToRevoke(key, { api, say, refused }, ondone) {
  return ask({
    title: 'Revoke this key?', action: 'Revoke it', tone: 'cut',
    body: [h('p', null, h('strong', null, keyName(key)), ' is refused from now on, on every server, and what runs by it is cut. This cannot be taken back; to stop it for a while, block it.')],
    async onsubmit() {
      try {
        const row = await api.send('DELETE', `/api/admin/keys/${encodeURIComponent(key.id)}`);
        say('The key was revoked.');
        ondone(row);
      } catch (error) {
        if (!refused(error)) throw error;
      }
    },
  });
}

/** Alias, models and how long: what may change of a key that is there. */
export function askToChange(key, { api, say, refused }, ondone, models = []) {
  const alias = textField('alias', { value: key.alias ?? '', maxLength: 128, autofocus: true });
  const may = textField('models', { value: (key.models ?? []).join(' '), placeholder: 'all', offers: models });
  const life = choiceField('life', [['keep', 'As it is'], ...Object.entries(LIVES)], 'keep');
  const date = h('input.field', { type: 'date', name: 'date', aria: { label: 'Valid until' }, hidden: true });
  life.addEventListener('change', () => { date.hidden = life.value !== 'date'; });
  return ask({
    title: 'Change this key', action: 'Change it',
    body: [labelled('Alias', alias), labelled('Models', may, 'Which it may call, with spaces between; empty for all'), h('div.dg-row', null, labelled('Valid', life), date)],
    async onsubmit() {
      const change = { alias: alias.value.trim() || null, models: wordsOf(may.value) };
      if (life.value !== 'keep') {
        const { body, problem, field } = keyBody({ project: key.project, roles: [], models: [], budgets: [], life: life.value, date: date.value }, Date.now());
        if (problem) throw wrong(problem, field);
        change.expires_at = body.expires_at ?? null;
      }
      try {
        ondone(await api.send('PATCH', `/api/admin/keys/${encodeURIComponent(key.id)}`, change));
        say('The key was changed.');
      } catch (error) {
        if (!refused(error)) throw error;
      }
    },
  });
}
