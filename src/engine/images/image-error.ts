/** An image that cannot be taken: the sentence says what is wrong with it. */
export class ImageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ImageError';
  }
}
