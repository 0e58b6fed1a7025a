/**
 * Reads Prometheus text as strictly as Prometheus does: a family is announced once, a series comes once, histograms are whole and
 * only rise. Bad case: a line that is not understood; it is an error, never skipped.
 */

/** One series. */
export type Series = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/g;

/** An exposition that was read. */
export class Exposition {
  readonly series: readonly Series[];
  /** Type by family. */
  readonly types: ReadonlyMap<string, string>;

  /** @throws Error at the first line that Prometheus would refuse */
  constructor(text: string) {
    const types = new Map<string, string>();
    const seen = new Set<string>();
    const series: Series[] = [];
    for (const line of text.split("\n")) {
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
      if (type !== null) {
        expectThat(!types.has(type[1] ?? ""), `a family comes twice: ${line}`);
        types.set(type[1] ?? "", type[2] ?? "");
      } else if (line !== "" && !/^# HELP \S+ .+$/.test(line)) {
        const one = readLine(line);
        const key = `${one.name} ${JSON.stringify(Object.entries(one.labels).sort())}`;
        expectThat(!seen.has(key), `a series comes twice: ${line}`);
        seen.add(key);
        expectThat(types.has(familyOf(one.name, types)), `no type: ${line}`);
        series.push(one);
      }
    }
    this.series = series;
    this.types = types;
    this.#checkHistograms();
  }

  /** The value of the only series with these labels. @throws Error when there is none, or more than one */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.find(name, labels);
    expectThat(found.length === 1, `${found.length} series of ${name} ${JSON.stringify(labels)}`);
    return found[0]?.value ?? Number.NaN;
  }

  /** Every series with these labels, whatever others it has. */
  find(name: string, labels: Readonly<Record<string, string>> = {}): Series[] {
    const wanted = Object.entries(labels);
    return this.series.filter(
      (one) => one.name === `alphapulse_${name}` && wanted.every(([label, value]) => one.labels[label] === value),
    );
  }

  /** The sum over such series. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.find(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  #checkHistograms(): void {
    for (const [family] of [...this.types].filter(([, type]) => type === "histogram")) {
      const short = family.replace("alphapulse_", "");
      for (const { labels, value } of this.find(`${short}_count`)) {
        const buckets = this.find(`${short}_bucket`, labels).map((one) => [Number(one.labels.le), one.value] as const);
        const rising = buckets.every(([bound, count], index) => {
          const [before = Number.NEGATIVE_INFINITY, least = 0] = buckets[index - 1] ?? [];
          return (bound > before || Number.isNaN(bound)) && count >= least;
        });
        expectThat(rising, `buckets of ${family} ${JSON.stringify(labels)} do not rise`);
        expectThat(this.find(`${short}_bucket`, { ...labels, le: "+Inf" })[0]?.value === value, `${family}: +Inf`);
      }
    }
  }
}

function readLine(line: string): Series {
  const match = LINE.exec(line);
  expectThat(match !== null, `not understood: ${line}`);
  const [, name = "", labelText = "", value = ""] = match ?? [];
  const labels = [...labelText.matchAll(LABEL)];
  expectThat(labels.map(([text]) => text).join("") === labelText, `labels not understood: ${line}`);
  expectThat(Number.isFinite(Number(value)), `no finite value: ${line}`);
  return { name, labels: Object.fromEntries(labels.map(([, label, text]) => [label, text])), value: Number(value) };
}

function familyOf(name: string, types: ReadonlyMap<string, string>): string {
  return types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
}

function expectThat(condition: boolean, reason: string): void {
  if (!condition) {
    throw new Error(`Cannot read the exposition: ${reason}`);
  }
}
