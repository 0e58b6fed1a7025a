/**
 * A patch: small edits to source files, found by their text. The catalogue (bugs.ts) is made of them, the runner and the
 * simulation's `--bug` apply them.
 * Bad case: the source moved on and an edit's text is gone or stands there twice; that is an error, never a silent no-op,
 * because a bug that is not planted would count as not found.
 */

/** One replacement. `find` must stand in the file exactly once. */
export type Edit = {
  /** Relative to the repository, with forward slashes. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

/** A planted bug. */
export type Patch = {
  /** Lower case with hyphens. */
  readonly name: string;
  /** What would go wrong in production. */
  readonly why: string;
  readonly edits: readonly Edit[];
  /** Test files that are tried first, because they are likely to notice. */
  readonly tests: readonly string[];
};

/**
 * Makes one edit.
 * @param text of the whole file
 * @throws Error when the edit's text does not stand there exactly once
 */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    const start = find.split("\n")[0];
    throw new Error(`Cannot patch ${file}: the text must stand there once, was ${parts.length - 1} times: ${start}`);
  }
  return parts.join(replace);
}

/**
 * Makes all edits of a patch that concern one file, in their order.
 * @param file relative to the repository
 * @returns the text itself when none does
 * @throws Error when an edit's text does not stand there exactly once
 */
export function patchedText(patch: Patch, file: string, text: string): string {
  return patch.edits.filter((edit) => edit.file === file).reduce(applyEdit, text);
}

/** The files that a patch edits, each once. */
export function editedFiles(patch: Patch): string[] {
  return [...new Set(patch.edits.map((edit) => edit.file))];
}

/** Whether a patch edits the kernel, so that it must be compiled anew. */
export function editsKernel(patch: Patch): boolean {
  return patch.edits.some((edit) => edit.file.startsWith("assembly/"));
}
