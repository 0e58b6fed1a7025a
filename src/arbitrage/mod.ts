/**
 * Arbitrage from live books: pure, exact, without clock or I/O. The gateway feeds it; anything that has books can.
 * Bad case: none of its own; a book that is wrong and says that it is right would make wrong opportunities.
 */
export type { ArbitrageBook, ArbitrageLevel } from "./book.ts";
export {
  ARBITRAGE_RULES,
  type ArbitrageCounts,
  ArbitrageDetector,
  type ArbitrageRules,
  type OpportunityEvent,
} from "./detector.ts";
