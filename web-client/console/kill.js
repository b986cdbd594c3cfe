import { h } from '../shared/dom.js';
import { ask, labelled, textField, wrong } from './dialog.js';
import { costText, rateText, tokensText } from './stream-model.js';

/** Asks why, and ends a run. The reason stands in the decision log. */
export function askToKill(row, { api, say, refused }, ondone = () => {}) {
  const reason = textField('reason', { maxLength: 500, placeholder: 'Such as: a loop, calls the same tool again and again', autofocus: true });
  const facts = [['Run', h('code', null, row.run_id)], ['Who', `${row.user ?? 'a key without a user'} · ${row.org}/${row.project}`], ['Model', row.model],
    ['So far', `${tokensText(row)} tokens, ${costText(row.cost_usd)}${rateText(row) === '–' ? '' : `, ${rateText(row)}`}`]];
  return ask({
    title: 'End this run?', action: 'End it', tone: 'cut',
    body: [
      h('p', null, 'It stops at the token it has reached. What was delivered is charged, the rest of what it holds is given back, and whoever waits for it is told that an administrator ended it.'),
      h('dl.facts', null, ...facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)])),
      labelled('Reason', reason, 'It is kept in the decision log.'),
    ],
    async onsubmit() {
      const why = reason.value.trim();
      if (why === '') throw wrong('Say why: it stands in the log.', 'reason');
      try {
        const answer = await api.kill(row.run_id, why);
        say(answer?.status === 'requested' ? 'The server that has the run was told to end it.' : 'The run was ended.');
        ondone(answer?.status ?? 'killed');
      } catch (error) {
        if (refused(error)) return;
        if (error.code === 'run_ended') return void ondone('ended');
        throw error;
      }
    },
  });
}
