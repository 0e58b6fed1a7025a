/**
 * The names that somebody may have meant: by edit distance, ignoring case. For error messages only.
 * Bad case: thousands of candidates with long names; the cost is their number times the product of the lengths.
 */

/**
 * The candidates that are most like a word.
 * @param limit how many at most
 * @returns best first; empty when nothing is even nearly alike
 */
export function nearestNames(word: string, candidates: Iterable<string>, limit = 3): string[] {
  const lower = word.toLowerCase();
  const scored = [...new Set(candidates)].map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }));
  return scored
    .filter(({ name, distance }) => distance <= Math.max(2, Math.ceil(Math.max(word.length, name.length) / 3)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map(({ name }) => name);
}

/** `, nearest is a, b` or nothing. */
export function nearestHint(word: string, candidates: Iterable<string>): string {
  const names = nearestNames(word, candidates);
  return names.length === 0 ? "" : `, nearest is ${names.join(", ")}`;
}

/** Levenshtein distance. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
