/**
 * Where the levels stand in a frame: the same search for every exchange, by the names that they give their lists.
 * Bad case: a frame with other names; it has no levels then, and faults that need one wait for the next frame.
 */
import type { JsonArray, JsonNode, JsonToken } from "./json_tree.ts";
import { ASK, BID, type BookSide } from "./ladder.ts";

/** A level in a frame. */
export type FrameLevel = {
  readonly side: BookSide;
  /** The whole level. */
  readonly node: JsonNode;
  readonly price: JsonToken;
  readonly quantity: JsonToken;
};

/** A list of levels in a frame. */
export type LevelList = { readonly node: JsonArray; readonly levels: readonly FrameLevel[] };

/** By key; `changes` names the side in each level. */
const SIDES: Readonly<Record<string, BookSide | "named">> = {
  '"bids"': BID,
  '"b"': BID,
  '"bs"': BID,
  '"asks"': ASK,
  '"a"': ASK,
  '"as"': ASK,
  '"changes"': "named",
};

/** The lists of levels in a frame, in order. */
export function levelLists(tree: JsonNode): LevelList[] {
  const found: LevelList[] = [];
  visit(tree, found);
  return found;
}

function visit(node: JsonNode, found: LevelList[]): void {
  if ("items" in node) {
    for (const item of node.items) {
      visit(item, found);
    }
  }
  for (const [key, value] of "members" in node ? node.members : []) {
    const side = SIDES[key];
    if (side !== undefined && "items" in value) {
      const levels = value.items.map((item) => levelOf(item, side));
      found.push({ node: value, levels: levels.filter((level) => level !== undefined) });
    } else {
      visit(value, found);
    }
  }
}

function levelOf(node: JsonNode, side: BookSide | "named"): FrameLevel | undefined {
  const parts = "items" in node ? node.items : "members" in node ? node.members.map(([, value]) => value) : [];
  const tokens = parts.filter((part): part is JsonToken => "token" in part);
  const word = side === "named" ? tokens.shift()?.token : undefined;
  const [price, quantity] = tokens;
  if (price === undefined || quantity === undefined) {
    return undefined;
  }
  return { side: side === "named" ? (word === '"buy"' ? BID : ASK) : side, node, price, quantity };
}
