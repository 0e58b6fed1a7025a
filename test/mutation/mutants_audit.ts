/**
 * Mutants of the audit: what REST and book are compared on, whose word counts, and what a difference leads to.
 * Bad case: a mutant that only asks too often; the exchange bans the address, no book is wrong, so requests are counted.
 */
import type { Patch } from "./patch.ts";

const MACHINE = "src/sync/audit_machine.ts";
const COMPARE_TEST = "test/unit/audit_compare.test.ts";
const MACHINE_TEST = "test/unit/audit_machine.test.ts";

/** Mutants of the audit. */
export const AUDIT_MUTANTS: readonly Patch[] = [
  {
    name: "audit-judges-moving-levels",
    why: "levels that changed around the request count as wrong: every busy book is resynced at every audit",
    edits: [
      {
        file: "assembly/audit.ts",
        find: "    if (!isSame(ourQuantity, theirQuantity) && quantityAt(touched, side, price) == 0)\n",
        replace: "    if (!isSame(ourQuantity, theirQuantity))\n",
      },
      {
        file: "src/kernel/twin/audit.ts",
        find: "      if (!this.#isSame(heldLow, heldHigh, theirs) && touched.place(side, low, high) < 0) {",
        replace: "      if (!this.#isSame(heldLow, heldHigh, theirs) && touched.count >= 0) {",
      },
    ],
    tests: [COMPARE_TEST],
  },
  {
    name: "audit-overlooks-missing-levels",
    why: "a level that the exchange lists and we lack is never found",
    edits: [
      {
        file: "assembly/audit.ts",
        find: "    if (!isSame(ourQuantity, theirQuantity) && quantityAt(",
        replace: "    if (takesOurs && !isSame(ourQuantity, theirQuantity) && quantityAt(",
      },
      {
        file: "src/kernel/twin/audit.ts",
        find: "      if (!this.#isSame(heldLow, heldHigh, theirs) && touched",
        replace: "      if (takesOurs && !this.#isSame(heldLow, heldHigh, theirs) && touched",
      },
    ],
    tests: [COMPARE_TEST],
  },
  {
    name: "audit-first-answer-convicts",
    why: "an answer that another server of the exchange gave late resyncs a right book",
    edits: [
      {
        file: MACHINE,
        find: "mismatches.filter((one) => this.#suspects?.some((other) => isSameLevel(one, other)));",
        replace: "mismatches;",
      },
    ],
    tests: [MACHINE_TEST],
  },
  {
    name: "audit-believes-old-answers",
    why: "an answer from before the window is compared with the book of now",
    edits: [{ file: MACHINE, find: '    if (age === "old") {', replace: '    if (age === "old" && at < 0) {' }],
    tests: [MACHINE_TEST],
  },
  {
    name: "audit-judges-ahead-of-socket",
    why: "an answer that is newer than what the socket told is compared at once: a right book is resynced",
    edits: [
      {
        file: MACHINE,
        find: '    if (age === "ahead" && this.#patience < PATIENCE_MAX) {',
        replace: '    if (age === "ahead" && this.#patience < 0 * PATIENCE_MAX) {',
      },
      {
        file: MACHINE,
        find: '    if (age === "ahead" && freshness === "sequence") {',
        replace: '    if (age === "ahead" && freshness !== "sequence") {',
      },
    ],
    tests: [MACHINE_TEST],
  },
  {
    name: "audit-over-budget",
    why: "many books are audited more often than the exchange's REST budget allows: the address is banned",
    edits: [
      {
        file: "src/sync/audit_schedule.ts",
        find: "Math.max(periodMs - looksMs, affordableMs, looksMs)",
        replace: "Math.max(periodMs - looksMs, 0 * affordableMs, looksMs)",
      },
    ],
    tests: [MACHINE_TEST],
  },
  {
    name: "audit-mismatch-unrepaired",
    why: "a book that the audit found wrong goes on being served as synced",
    edits: [
      {
        file: "src/feed/auditor.ts",
        find: "      sync.mistrust(native, { reason: REASON_AUDIT, receivedAt: now });\n",
        replace: "",
      },
    ],
    tests: ["test/integration/audit.test.ts"],
  },
];
