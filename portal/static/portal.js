// What the pages do by themselves; without it every page still works. No page has a script of its own.
'use strict';
(() => {
  const each = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);

  // Charts: a canvas carries what Chart.js takes as data.
  const charts = new Map();
  const draw = (canvas) => {
    if (typeof Chart === 'undefined') return;
    charts.get(canvas)?.destroy();
    const style = getComputedStyle(document.documentElement);
    Chart.defaults.color = style.getPropertyValue('--bs-secondary-color');
    Chart.defaults.borderColor = style.getPropertyValue('--bs-border-color');
    Chart.defaults.animation = false;
    Chart.defaults.maintainAspectRatio = false;
    charts.set(canvas, new Chart(canvas, JSON.parse(canvas.dataset.chart)));
  };
  const forget = () => {
    for (const [canvas, chart] of charts) {
      if (!canvas.isConnected) {
        chart.destroy();
        charts.delete(canvas);
      }
    }
  };

  // Times are in UTC; the reader's own stands in the tooltip.
  const times = (root) => each('time[datetime]', (element) => {
    const own = new Date(element.dateTime).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });
    element.title = element.title && !element.dataset.told ? `${element.title}\n${own}` : element.title || own;
    element.dataset.told = '1';
  }, root);

  // What scrolls sideways can be scrolled by keys, too.
  const reach = (root) => each('.table-responsive', (place) => {
    if (place.scrollWidth <= place.clientWidth || place.hasAttribute('tabindex')) return;
    place.tabIndex = 0;
    place.setAttribute('role', 'region');
    place.setAttribute('aria-label', place.querySelector('caption')?.textContent || 'Table');
  }, root);

  const begin = (root) => {
    reach(root);
    each('canvas[data-chart]', draw, root);
    times(root);
    each('input[data_offered], input[data-offered]', (input) => input.setAttribute('list', `${input.id}-offered`), root);
  };

  document.addEventListener('DOMContentLoaded', () => {
    begin(document);
    document.getElementById('theme')?.addEventListener('click', () => window.emgTheme());
  });
  document.addEventListener('htmx:afterSwap', (event) => {
    forget();
    begin(event.detail.elt);
  });
  document.addEventListener('emg:theme', () => each('canvas[data-chart]', draw));

  // A click copies: <button data-copy="#id">.
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    navigator.clipboard?.writeText(source.value ?? source.textContent).then(() => {
      button.classList.add('text-success');
      setTimeout(() => button.classList.remove('text-success'), 1500);
    });
  });

  // A form is sent once, however often somebody clicks; what a page shows that is gone back to can be sent again.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.method !== 'post' || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
    setTimeout(() => delete form.dataset.sent, 10000);
  });
  window.addEventListener('pageshow', () => each('form[data-sent]', (form) => delete form.dataset.sent));

  // A click prints: <button data-print>.
  document.addEventListener('click', (event) => event.target.closest('[data-print]') && window.print());

  // A renewed part asks again and again: not while nobody looks.
  document.addEventListener('htmx:beforeRequest', (event) => {
    const polls = (event.detail.elt.getAttribute('hx-trigger') || '').includes('every');
    if (polls && document.hidden) event.preventDefault();
  });

  // The portal itself went away: say so, once, and stop saying so when it is back.
  const offline = (away) => {
    const place = document.getElementById('problems');
    const had = document.getElementById('offline');
    if (away && !had && place) {
      const told = document.createElement('div');
      told.id = 'offline';
      told.className = 'alert alert-danger';
      told.setAttribute('role', 'alert');
      told.textContent = 'The portal does not answer. What you see is not renewed.';
      place.append(told);
    } else if (!away && had) {
      had.remove();
    }
  };
  document.addEventListener('htmx:sendError', () => offline(true));
  document.addEventListener('htmx:timeout', () => offline(true));
  document.addEventListener('htmx:afterOnLoad', () => offline(false));
  // An error's answer is shown where it says.
  document.addEventListener('htmx:beforeSwap', (event) => {
    if (event.detail.xhr.getResponseHeader('HX-Retarget')) event.detail.shouldSwap = true;
  });

  // Keys: / to the search field, Escape out of it.
  document.addEventListener('keydown', (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
      const field = document.querySelector('main input[type=search]');
      if (field) {
        event.preventDefault();
        field.focus();
      }
    } else if (event.key === 'Escape' && typing) {
      event.target.blur();
    }
  });
})();
