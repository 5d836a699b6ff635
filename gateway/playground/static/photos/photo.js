/** A photo that the visitor chose. */

export class Photo {
  /**
   * @param {File} file
   * @param {string} url of the file in memory
   * @param {{widthPx: number, heightPx: number} | null} size upright, as EXIF says; null where the browser cannot
   *   show the file
   */
  constructor(file, url, size) {
    this.file = file;
    this.url = url;
    this.size = size;
  }

  /**
   * @param {File} file
   * @returns {Promise<Photo>}
   */
  static async open(file) {
    const url = URL.createObjectURL(file);
    return new Photo(file, url, await sizeOf(url));
  }

  /**
   * The file in Base64, made by the browser outside of this page's turn.
   *
   * @returns {Promise<string>} a data URI
   */
  dataUri() {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(/** @type {string} */ (reader.result));
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(this.file);
    });
  }

  /** Gives the memory back. */
  close() {
    URL.revokeObjectURL(this.url);
  }
}

/**
 * @param {string} url
 * @returns {Promise<{widthPx: number, heightPx: number} | null>} null where the browser cannot show it
 */
export async function sizeOf(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  return { widthPx: image.naturalWidth, heightPx: image.naturalHeight };
}
