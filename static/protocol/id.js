/**
 * An id that nobody else will draw: 128 random bits in base64url.
 *
 * @returns {string}
 */
export function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return btoa(String.fromCharCode(...bytes))
        .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
