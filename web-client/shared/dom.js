/** Small tools for building the page. No markup is ever parsed from strings, so no text can become an element. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag `name.class.class`
 * @param {object} [properties] `on…` are listeners, `aria`/`data` are maps, known properties are set, others become attributes.
 * @param {...(Node|string|null|undefined|false)} children
 */
export function h(tag, properties, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'aria') for (const [k, v] of Object.entries(value)) element.setAttribute(`aria-${k}`, v);
    else if (key === 'data') Object.assign(element.dataset, value);
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An icon of the sprite; decoration only, the word beside it carries the meaning. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('viewBox', '0 0 20 20');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

export const setIcon = (svg, name) => svg.firstElementChild.setAttribute('href', `#i-${name}`);

/**
 * Puts the sprite into the page: a reference to the file would be fetched again when an icon changes, and the sign for
 * "offline" must not need a connection.
 */
export async function loadIcons() {
  const source = await (await fetch(new URL('../icons/icons.svg', import.meta.url))).text();
  const sprite = document.importNode(new DOMParser().parseFromString(source, 'image/svg+xml').documentElement, true);
  sprite.setAttribute('class', 'hidden');
  sprite.setAttribute('aria-hidden', 'true');
  document.body.append(sprite);
}

/** Writes only what changed: untouched text keeps a person's selection and makes no work for a screen reader. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Appending to a text node keeps a selection, and the browser from laying out the whole text again. */
export function growText(node, text) {
  if (node.data === text) return;
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

/** Changes a box that scrolls, and keeps its end in sight unless the person has scrolled up. */
export function following(box, change) {
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  change();
  if (isAtEnd && box.scrollHeight > box.clientHeight) box.scrollTop = box.scrollHeight;
}

export const byId = (id) => document.getElementById(id);

/** Copies, and says so in the button itself. */
export function copyButton(label, text) {
  const word = h('span', null, label);
  const sign = icon('copy');
  let timer = 0;
  return h('button.quiet.copy', {
    type: 'button', title: label,
    async onclick() {
      let done = true;
      try {
        await navigator.clipboard.writeText(text());
      } catch {
        done = false; // no permission, or the page is not on https: say so rather than do nothing
      }
      setText(word, done ? 'Copied' : 'Not allowed here');
      setIcon(sign, done ? 'check' : 'alert');
      clearTimeout(timer);
      timer = setTimeout(() => {
        setText(word, label);
        setIcon(sign, 'copy');
      }, 1600);
    },
  }, sign, word);
}

export const reducedMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
