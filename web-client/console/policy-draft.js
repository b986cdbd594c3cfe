/** A set of policies that somebody edits: its files beside those it began with. Every function answers a new draft. Pure. */

/** What the server takes: the longest name, the bytes of one file, the number of files. */
const NAME_MAX = 255;
const FILES_MAX = 256;

export const isTest = (name) => /\.test\.ya?ml$/.test(name);

/** @param {{version: string|null, files: {name: string, text: string}[]}} set those in force. */
export function beginDraft({ version, files }) {
  const before = files.map(({ name, text }) => ({ name, text }));
  return { base: version ?? null, before, files: before.map((file) => ({ ...file, from: file.name })) };
}

export const fileOf = (draft, name) => draft.files.find((file) => file.name === name);

/** Tests after the policies, each by name. */
export const namesOf = (draft) => draft.files.map(({ name }) => name).sort((a, b) => Number(isTest(a)) - Number(isTest(b)) || a.localeCompare(b));

const withFiles = (draft, files) => ({ ...draft, files });

export const editFile = (draft, name, text) => withFiles(draft, draft.files.map((file) => (file.name === name ? { ...file, text } : file)));

/** A new file; one that was taken away under this name comes back as what it was, changed. */
export function addFile(draft, name, text = '') {
  const known = draft.before.some((file) => file.name === name) && !draft.files.some((file) => file.from === name);
  return withFiles(draft, [...draft.files, { name, text, from: known ? name : null }]);
}

export const removeFile = (draft, name) => withFiles(draft, draft.files.filter((file) => file.name !== name));

export const renameFile = (draft, name, to) => withFiles(draft, draft.files.map((file) => (file.name === name ? { ...file, name: to } : file)));

/** One file as it was before: its text, its name, or that it was there at all. */
export function revertFile(draft, name) {
  const file = fileOf(draft, name);
  const was = draft.before.find((one) => one.name === (file ? file.from : name));
  const rest = draft.files.filter((one) => one !== file);
  return withFiles(draft, was ? [...rest, { ...was, from: was.name }] : rest);
}

/** @returns {string} why a file cannot have this name; '' where it can. */
export function nameProblem(draft, name, own = '') {
  if (name === '') return 'Give the file a name.';
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return 'A name has letters, digits, dots, dashes and underscores.';
  if (!name.endsWith('.cedar') && !isTest(name)) return 'Policies end with .cedar, their tests with .test.yaml.';
  if (own && isTest(own) !== isTest(name)) return 'A policy stays a policy, and a test a test.';
  if (name.length > NAME_MAX) return `A name has at most ${NAME_MAX} characters.`;
  if (name !== own && fileOf(draft, name)) return 'There is a file of that name.';
  return !own && draft.files.length >= FILES_MAX ? `A set has at most ${FILES_MAX} files.` : '';
}

/**
 * What is different, by the name that the file has now.
 * @returns {{name: string, from: string|null, kind: 'changed'|'new'|'renamed'|'removed', before: string, after: string}[]}
 */
export function changesOf(draft) {
  const changes = [];
  for (const { name, text, from } of draft.files) {
    const was = from === null ? undefined : draft.before.find((file) => file.name === from);
    if (!was) changes.push({ name, from: null, kind: 'new', before: '', after: text });
    else if (name !== from) changes.push({ name, from, kind: 'renamed', before: was.text, after: text });
    else if (text !== was.text) changes.push({ name, from, kind: 'changed', before: was.text, after: text });
  }
  for (const { name, text } of draft.before) {
    if (!draft.files.some((file) => file.from === name)) changes.push({ name, from: name, kind: 'removed', before: text, after: '' });
  }
  return changes.sort((a, b) => a.name.localeCompare(b.name));
}

export const isChanged = (draft) => changesOf(draft).length > 0;

/** @returns {{name: string, text: string}[]} of one kind, as the server wants them. */
export const policiesOf = (draft) => draft.files.filter(({ name }) => !isTest(name)).map(({ name, text }) => ({ name, text }));

/** The whole set with its tests, where these are known. */
export const filesOf = (draft) => draft.files.map(({ name, text }) => ({ name, text }));

/** What was published meanwhile, from the files that the draft began with to those in force now. */
export const changedMeanwhile = (draft, set) => changesOf({ before: draft.before, files: set.files.map(({ name, text }) => ({ name, text, from: draft.before.some((file) => file.name === name) ? name : null })) });

/**
 * The same changes on top of another version. A file that was changed on both sides keeps the draft's text.
 * @returns {{draft: object, conflicts: string[]}} and the names of those files.
 */
export function rebaseDraft(draft, set) {
  const mine = changesOf(draft);
  const theirs = new Set(changedMeanwhile(draft, set).map(({ name }) => name));
  let next = beginDraft(set);
  const conflicts = [];
  for (const { name, from, kind, after } of mine) {
    const place = from ?? name;
    if (theirs.has(place) || theirs.has(name)) conflicts.push(name);
    if (kind === 'removed') next = removeFile(next, name);
    else if (!fileOf(next, place)) next = addFile(next, name, after);
    else if (kind === 'renamed' && !fileOf(next, name)) next = editFile(renameFile(next, place, name), name, after);
    else next = editFile(next, name === place || fileOf(next, name) ? name : place, after);
  }
  return { draft: next, conflicts };
}

/** For the tab's storage, and back; what cannot be read is no draft. */
export const storeDraft = (draft) => JSON.stringify(draft);

export function readDraft(text) {
  try {
    const { base, before, files } = JSON.parse(text ?? 'null') ?? {};
    const isList = (list) => Array.isArray(list) && list.every((file) => typeof file?.name === 'string' && typeof file.text === 'string');
    return isList(before) && isList(files) ? { base: base ?? null, before, files: files.map(({ name, text: own, from }) => ({ name, text: own, from: from ?? null })) } : null;
  } catch {
    return null;
  }
}
