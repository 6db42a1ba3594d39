/** Times from now, as people write them. */

/** @type {Record<string, number>} In ms. */
const UNITS = {s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000,
    y: 365 * 86_400_000};

/**
 * @param {string} written Such as `30m`, `2d`, or a date.
 * @param {Date} [now]
 * @returns {Date | null}
 */
export function parseExpiry(written, now = new Date()) {
    const span = /^(\d+(?:\.\d+)?)\s*([smhdwy])$/.exec(written.trim());
    if (span)
        return new Date(now.getTime() + Number(span[1]) * (UNITS[span[2] ?? ''] ?? 0));
    const date = new Date(written);
    return /^\d{4}-/.test(written.trim()) && !Number.isNaN(date.getTime()) ? date : null;
}
