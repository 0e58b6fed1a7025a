/**
 * Whether the frames of one instrument still have the form that is known: how many in a row could not be read, or came
 * as a kind that does not exist; how many checksums in a row failed without one that held. One bad frame is a fault;
 * three in a row are another form, and asking again would only bring the same again.
 * Bad case: a snapshot in the old form between updates in the other one; it proves nothing, only an update does.
 */

/** So many bad frames in a row are another form. */
export const FORM_FRAMES_MAX = 3;

/** The form of one instrument's frames. */
export class FormRecord {
  #frames = 0;
  #checksums = 0;
  #version = 0n;

  /**
   * A frame of this book could not be read, or one of an unknown kind stands in its place.
   * @param version of the book now @param isSynced whether updates are applied now, so that a later version is proof
   * @returns whether this is another form
   */
  strange(version: bigint, isSynced: boolean): boolean {
    if (isSynced && version > this.#version) {
      this.#frames = 0;
    }
    this.#version = version;
    this.#frames += 1;
    return this.#frames >= FORM_FRAMES_MAX;
  }

  /** An update of this book could be read. */
  readable(): void {
    this.#frames = 0;
  }

  /** A checksum failed. @param isFresh straight after another failure, without a snapshot that held @returns whether this is another form */
  badChecksum(isFresh: boolean): boolean {
    this.#checksums = isFresh ? this.#checksums + 1 : 1;
    return this.#checksums >= FORM_FRAMES_MAX;
  }

  /** The book is right again. @param version of it */
  synced(version: bigint): void {
    this.#checksums = 0;
    this.#version = version;
  }
}
