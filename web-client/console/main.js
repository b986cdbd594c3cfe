import { forgetCredential, keepCredential, keyPanel, readCredential } from '../shared/credential.js';
import { byId, loadIcons } from '../shared/dom.js';
import { setUpTheme } from '../shared/theme.js';
import { Console } from './console.js';

const WORDS = {
  why: 'The console shows what your key may see: with the role admin all of your organisation, else the approvals that wait for you. The key stays in this tab.',
  confirm: 'This tab works with another key. The link you opened brings a new one; with it you decide as somebody else.',
  command: 'kdcube keys create --org acme --project web --user ana --role admin',
};

loadIcons().catch(() => {}); // the words beside the icons carry the meaning
setUpTheme(byId('theme'));

const page = new Console({ onsignout: signOut });

function signIn(key) {
  keepCredential(key);
  page.start(key);
}

function signOut(error) {
  if (!page.stop()) return; // several requests may be refused at once
  forgetCredential();
  page.block(keyPanel({ error: error ? `The server refused this key: ${error.message}` : '', words: WORDS, onkey: signIn }));
}

const { key, offered } = readCredential(location, history);
if (key) signIn(key);
else page.block(keyPanel({ prefill: offered ?? '', confirm: offered !== null, words: WORDS, onkey: signIn }));

// The browser often knows before any timer that the network is back.
addEventListener('online', () => page.retryNow());
document.addEventListener('visibilitychange', () => document.hidden || page.retryNow());
