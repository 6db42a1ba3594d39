/** Making and finding elements. Text is always text, never HTML. */

/**
 * @typedef {string | Node | null | undefined | false} Child
 */

/**
 * Makes an element. Attributes that are `null` or `false` are left out, `true` is an empty one;
 * `on…` are listeners.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith('on'))
            element.addEventListener(name.slice(2), value);
        else
            setAttribute(element, name, value);
    }
    for (const child of children) {
        if (child)
            element.append(child);
    }
    return element;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function setAttribute(element, name, value) {
    if (value === null || value === undefined || value === false)
        element.removeAttribute(name);
    else
        element.setAttribute(name, value === true ? '' : String(value));
}

/**
 * The element of the page with this id; a page without it is broken.
 *
 * @template {Element} T
 * @param {string} id
 * @param {new (...args: any[]) => T} type
 * @returns {T}
 */
export function byId(id, type) {
    const element = document.getElementById(id);
    if (!(element instanceof type))
        throw new Error(`the page has no ${type.name} #${id}`);
    return element;
}

/**
 * An icon of `/icons.svg`.
 *
 * @param {string} name
 */
export function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', `/icons.svg#${name}`);
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(use);
    return svg;
}

/**
 * Shows another icon in an element that has one.
 *
 * @param {Element} element
 * @param {string} name
 */
export function setIcon(element, name) {
    element.querySelector('use')?.setAttribute('href', `/icons.svg#${name}`);
}

/**
 * The crystal that stands for a person.
 *
 * @param {string} letters
 * @param {number} colour
 */
export function crystal(letters, colour) {
    return h('span', {class: `crystal crystal-${colour}`, 'aria-hidden': 'true'},
        h('span', {class: 'crystal-letters'}, letters));
}
