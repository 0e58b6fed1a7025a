/**
 * Makes a picture of a page small: an RGB PNG as Chromium writes it becomes one with a palette of 256 colours, which is
 * plenty for text on flat ground. Bad case: a photograph would show bands; these are pages.
 */
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
const COLOURS_MAX = 256;
/** The most frequent ones are taken as they are; further ones only when they differ from all by so much, squared. */
const COMMON_COLOURS = 96;
const APART_LEAST = 700;

type Image = { width: number; height: number; pixels: Uint32Array };

/** The picture with at most 256 colours. @param png 8 bits per channel, RGB or RGBA, not interlaced */
export function withPalette(png: Buffer): Buffer {
  const image = decode(png);
  const colours = commonColours(image.pixels);
  const nearest = new Map<number, number>();
  const rows = Buffer.alloc(image.height * (image.width + 1));
  for (let y = 0; y < image.height; y += 1) {
    for (let x = 0; x < image.width; x += 1) {
      const colour = image.pixels[y * image.width + x] ?? 0;
      const index = nearest.get(colour) ?? nearestOf(colours, colour);
      nearest.set(colour, index);
      rows[y * (image.width + 1) + x + 1] = index;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(image.width, 0);
  head.writeUInt32BE(image.height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const palette = Buffer.from(colours.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const parts = [chunk("IHDR", head), chunk("PLTE", palette), chunk("IDAT", deflateSync(rows, { level: 9 }))];
  return Buffer.concat([SIGNATURE, ...parts, chunk("IEND", Buffer.alloc(0))]);
}

/** One colour per cell of a coarse cube, its most frequent one; the cells with most pixels, but none beside another. */
function commonColours(pixels: Uint32Array): number[] {
  const counts = new Map<number, number>();
  for (const colour of pixels) {
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const cells = new Map<number, { colour: number; most: number; all: number }>();
  for (const [colour, count] of counts) {
    const key = ((colour >> 19) & 31) * 1024 + ((colour >> 11) & 31) * 32 + ((colour >> 3) & 31);
    const cell = cells.get(key) ?? { colour, most: 0, all: 0 };
    const isMore = count > cell.most;
    cells.set(key, { colour: isMore ? colour : cell.colour, most: Math.max(count, cell.most), all: cell.all + count });
  }
  const sorted = [...cells.values()].sort((a, b) => b.all - a.all);
  const chosen: number[] = [];
  for (const { colour } of sorted) {
    const isApart = distanceOf(chosen[nearestOf(chosen, colour)] ?? -1, colour) > APART_LEAST;
    if (chosen.length < COLOURS_MAX && (isApart || chosen.length < COMMON_COLOURS)) {
      chosen.push(colour);
    }
  }
  return chosen;
}

function nearestOf(colours: readonly number[], colour: number): number {
  let [best, distance] = [0, Number.POSITIVE_INFINITY];
  for (const [index, other] of colours.entries()) {
    const square = distanceOf(other, colour);
    if (square < distance) {
      [best, distance] = [index, square];
    }
  }
  return best;
}

/** How different two colours look, squared. @param one below 0 = none, far from all */
function distanceOf(one: number, other: number): number {
  if (one < 0) {
    return Number.POSITIVE_INFINITY;
  }
  const [red = 0, green = 0, blue = 0] = [16, 8, 0].map((shift) => ((one >> shift) & 255) - ((other >> shift) & 255));
  return 2 * red ** 2 + 4 * green ** 2 + 3 * blue ** 2;
}

function decode(png: Buffer): Image {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const channels = png[25] === 6 ? 4 : 3;
  const parts: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") {
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
    }
  }
  const bytes = unfiltered(inflateSync(Buffer.concat(parts)), width * channels, channels);
  const pixels = new Uint32Array(width * height);
  for (let index = 0; index < pixels.length; index += 1) {
    const at = index * channels;
    pixels[index] = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  }
  return { width, height, pixels };
}

/** Undoes the filters of PNG, line by line. */
function unfiltered(raw: Buffer, stride: number, step: number): Uint8Array {
  const lines = raw.length / (stride + 1);
  const out = new Uint8Array(lines * stride);
  for (let line = 0; line < lines; line += 1) {
    const filter = raw[line * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x += 1) {
      const at = line * stride + x;
      const left = x >= step ? (out[at - step] ?? 0) : 0;
      const up = line > 0 ? (out[at - stride] ?? 0) : 0;
      const corner = line > 0 && x >= step ? (out[at - stride - step] ?? 0) : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0;
      out[at] = (raw[line * (stride + 1) + x + 1] ?? 0) + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function chunk(name: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(content.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}
