'use strict';
// The filter: words that a rule's line must have, and which verdicts to show. "/" goes to it.
const search = document.getElementById('search');
const boxes = [...document.querySelectorAll('.tools input[type=checkbox]')];
const rules = [...document.querySelectorAll('details.rule')];
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  for (const rule of rules) {
    const text = rule.firstElementChild.textContent.toLowerCase();
    rule.hidden = !shown.has(rule.dataset.mark) || !words.every((word) => text.includes(word));
  }
  for (const area of document.querySelectorAll('section.area')) {
    area.hidden = !area.querySelector('details.rule:not([hidden])');
  }
}
search.addEventListener('input', filter);
boxes.forEach((box) => box.addEventListener('change', filter));
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && event.target !== search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === 'Escape' && event.target === search) {
    search.value = '';
    filter();
    search.blur();
  }
});
// A rule that is linked to is open; on paper everything that failed is.
function openTarget() {
  const rule = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (rule instanceof HTMLDetailsElement) {
    rule.open = true;
  }
}
addEventListener('hashchange', openTarget);
addEventListener('beforeprint', () => {
  rules.forEach((rule) => { rule.open = rule.open || rule.dataset.mark === 'fail'; });
});
openTarget();
filter();
