import { icon, setIcon } from './dom.js';
import { store } from './storage.js';

const ORDER = ['auto', 'light', 'dark'];
const LOOK = {
  auto: ['auto', 'Colours: as the system'],
  light: ['sun', 'Colours: light'],
  dark: ['moon', 'Colours: dark'],
};

/** The switch between the system's scheme, light and dark. */
export function setUpTheme(button) {
  const sign = icon('auto');
  button.append(sign);
  let scheme = document.documentElement.dataset.scheme ?? 'auto';
  const show = () => {
    const [name, label] = LOOK[scheme];
    setIcon(sign, name);
    button.title = label;
    button.setAttribute('aria-label', label);
  };
  button.addEventListener('click', () => {
    scheme = ORDER[(ORDER.indexOf(scheme) + 1) % ORDER.length];
    if (scheme === 'auto') delete document.documentElement.dataset.scheme;
    else document.documentElement.dataset.scheme = scheme;
    store.set('kdcube.scheme', scheme);
    show();
  });
  show();
}
