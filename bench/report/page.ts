/**
 * The page of results in a browser: goals as dots with their spread on one scale, bars and latency curves by uPlot; drawn
 * anew when the window or the colour scheme changes.
 * Bad case: figures beyond the scale; they stand at its edge, and the text beside them says how much they are.
 */
import { drawBars, drawLatency } from "./charts.ts";
import type { PageReport, ShownCase, ShownGoal } from "./figures.ts";

/** Ends of the goals' scale, as shares of the goal. */
const LEAST = 0.1;
const MOST = 10;
const MARKS = [0.1, 0.2, 0.5, 1, 2, 5, 10];
const VERDICTS = ["goal", "must", "missed"];
const REDRAW_MS = 150;

const page = JSON.parse(document.getElementById("figures")?.textContent ?? "") as PageReport;
const main = document.querySelector("main");
if (main !== null) {
  show(main);
}

function show(root: HTMLElement): void {
  const charts = make("div", { style: "display: contents" });
  root.append(header(), goalSection(page.goals), charts);
  const draw = () => {
    charts.replaceChildren(
      ...page.bars.map((bars) => panel(bars.title, (box) => drawBars(box, bars))),
      ...page.latencies.map((latency) => panel(latency.title, (box) => drawLatency(box, latency))),
    );
    for (const box of charts.querySelectorAll<HTMLElement>("section")) {
      box.dispatchEvent(new CustomEvent("drawn"));
    }
  };
  draw();
  let timer = 0;
  const redraw = () => {
    clearTimeout(timer);
    timer = window.setTimeout(draw, REDRAW_MS);
  };
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      redraw();
    }
  });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", redraw);
}

function header(): HTMLElement {
  const command = make("p", {}, [text("code", page.command)]);
  const remarks = page.remarks.map((remark) => text("p", remark));
  return make("header", {}, [text("h1", "AlphaPulse, measured"), text("p", page.machine), command, ...remarks]);
}

function goalSection(goals: readonly ShownGoal[]): HTMLElement {
  const others = goals.filter(({ verdict }) => !VERDICTS.includes(verdict)).length;
  const tally = make("p", { className: "tally" }, [
    ...VERDICTS.map((verdict) => {
      const count = goals.filter((goal) => goal.verdict === verdict).length;
      return make("span", {}, [text("b", String(count)), document.createTextNode(` ${verdict}`)]);
    }),
    ...(others === 0 ? [] : [make("span", {}, [text("b", String(others)), document.createTextNode(" not judged")])]),
  ]);
  const hint =
    "Each dot is a measured case with its 95 % interval, on the scale of its own goal: right of the line the goal is " +
    "reached, the dotted mark is the must. A goal is as good as its worst case.";
  const section = make("section", { id: "goals" }, [text("h2", "Goals"), tally, text("p", hint)]);
  section.lastElementChild?.classList.add("hint");
  section.append(scale(), ...goals.map(goalRow));
  return section;
}

function scale(): HTMLElement {
  const marks = MARKS.map((share) => {
    const mark = text("span", share === 1 ? "goal" : `${share}×`);
    mark.style.left = place(share);
    return mark;
  });
  return make("div", { className: "scale" }, [make("div", {}, marks)]);
}

function goalRow(goal: ShownGoal): HTMLElement {
  const { name, what, must, goal: asked, measured, verdict, cases } = goal;
  const told = make("div", { className: "told" }, [text("div", what), text("div", `must ${must} · goal ${asked}`)]);
  told.lastElementChild?.classList.add("asked");
  const line = make("i", {});
  line.style.left = place(1);
  const picture = make("div", { className: "picture" }, [...cases.map(lane), line]);
  const row = make("div", { className: "goal" }, [
    make("div", { className: "name" }, [document.createTextNode(name)]),
    told,
    picture,
    chip(verdict),
    make("div", { className: "measured" }, [document.createTextNode(measured)]),
  ]);
  row.dataset.goal = name;
  return row;
}

function lane({ label, figure, verdict, must, goal, shares }: ShownCase): HTMLElement {
  const spread = make("s", {});
  spread.style.left = place(shares.low);
  spread.style.width = `calc(${place(shares.high)} - ${place(shares.low)})`;
  const dot = make("u", {});
  dot.style.left = place(shares.median);
  const least = make("i", { className: "must" });
  least.style.left = place(shares.must);
  const box = make("div", { className: "lane", title: `${label}: ${figure}, must ${must}, goal ${goal}` }, [
    least,
    spread,
    dot,
  ]);
  box.dataset.verdict = verdict;
  return box;
}

function chip(verdict: string): HTMLElement {
  const box = make("span", { className: "verdict" }, [document.createTextNode(verdict)]);
  box.dataset.verdict = verdict;
  return box;
}

/** A share of a goal as a place on the logarithmic scale. */
function place(share: number): string {
  const held = Math.min(Math.max(share, LEAST), MOST);
  return `${((Math.log(held / LEAST) / Math.log(MOST / LEAST)) * 100).toFixed(2)}%`;
}

/** A panel whose chart is drawn when it stands in the page, for it needs its width. */
function panel(title: string, draw: (box: HTMLElement) => void): HTMLElement {
  const section = make("section", { className: "chart" }, [text("h2", title)]);
  section.addEventListener("drawn", () => draw(section), { once: true });
  return section;
}

function text(tag: keyof HTMLElementTagNameMap, content: string): HTMLElement {
  return make(tag, {}, [document.createTextNode(content)]);
}

function make(
  tag: keyof HTMLElementTagNameMap,
  properties: { className?: string; id?: string; title?: string; style?: string },
  children: readonly Node[] = [],
): HTMLElement {
  const element = document.createElement(tag);
  const { style, ...rest } = properties;
  Object.assign(element, rest);
  if (style !== undefined) {
    element.setAttribute("style", style);
  }
  element.append(...children);
  return element;
}
