/**
 * The image area of a segment as its producer hands it out: pairs of images one behind the other, and pairs that removed
 * instruments gave back, which are taken again before the area grows. Generations of a pair go on, so that a reader that
 * still copies the old image notices.
 * Bad case: pairs of many sizes; the smallest that is large enough is taken whole, what it has too much stays with it.
 */

/** Two images of one instrument. */
export type ImagePair = {
  /** Of the first image, from the beginning of the area. */
  readonly offset: number;
  /** Bytes of one image; the second follows the first. */
  readonly bytes: number;
  /** It belonged to another instrument before. */
  readonly isUsed: boolean;
};

/** Hands out pairs of images. */
export class ImageArea {
  readonly #bytes: number;
  #used = 0;
  #free: ImagePair[] = [];

  /** @param bytes of the whole area */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Bytes from the beginning of the area that were ever handed out. */
  get usedBytes(): number {
    return this.#used;
  }

  /** Whether a pair could be taken. @param imageBytes of one image */
  hasRoom(imageBytes: number): boolean {
    return this.#fitting(imageBytes) !== undefined || this.#used + 2 * imageBytes <= this.#bytes;
  }

  /** Takes a pair. @param imageBytes of one image at least @returns undefined when the area is exhausted */
  take(imageBytes: number): ImagePair | undefined {
    const free = this.#fitting(imageBytes);
    if (free !== undefined) {
      this.#free = this.#free.filter((pair) => pair !== free);
      return free;
    }
    if (!this.hasRoom(imageBytes)) {
      return undefined;
    }
    const pair = { offset: this.#used, bytes: imageBytes, isUsed: false };
    this.#used += 2 * imageBytes;
    return pair;
  }

  /** Gives a pair back: nothing is written to it until it is taken again. */
  give({ offset, bytes }: Pick<ImagePair, "offset" | "bytes">): void {
    this.#free.push({ offset, bytes, isUsed: true });
  }

  #fitting(imageBytes: number): ImagePair | undefined {
    const fitting = this.#free.filter(({ bytes }) => bytes >= imageBytes);
    return fitting.sort((one, other) => one.bytes - other.bytes)[0];
  }
}
