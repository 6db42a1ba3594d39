/** Looking for what would keep somebody out, or is cut off. */

/** @import {Page} from 'puppeteer-core' */

import axe from 'axe-core';

/**
 * What axe finds by the rules of WCAG 2.2 AA and by good practice.
 *
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export async function barriers(page) {
    if (!await page.evaluate('"axe" in window'))
        await page.evaluate(axe.source);
    return page.evaluate(async () => {
        const {violations} = await /** @type {any} */ (window).axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
            resultTypes: ['violations'],
        });
        return violations.flatMap((/** @type {any} */ violation) => violation.nodes.map(
            (/** @type {any} */ node) => `${violation.id}: ${node.target} (${node.failureSummary})`));
    });
}

/**
 * What sticks out of the window sideways, and buttons whose words do not fit.
 *
 * @param {Page} page
 */
export function cutOff(page) {
    return page.evaluate(() => {
        const wrong = [];
        if (document.documentElement.scrollWidth > innerWidth)
            wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
        for (const element of document.querySelectorAll('button, input, select, textarea, h1, .tile')) {
            if (!element.checkVisibility())
                continue;
            const {left, right, width} = element.getBoundingClientRect();
            const label = element.querySelector('.control-label, .toggle-label') ?? element;
            const name = element.id || element.className;
            if (left < -1 || right > innerWidth + 1 || width < 1)
                wrong.push(`${name} is at ${left} to ${right}`);
            else if (element instanceof HTMLButtonElement && label.scrollWidth > label.clientWidth + 1)
                wrong.push(`the words of ${name} do not fit`);
        }
        return wrong;
    });
}
