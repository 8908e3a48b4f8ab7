// Light or dark, before anything is drawn: what was chosen here last, else what the system wants.
'use strict';
(() => {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const show = () => {
    const chosen = localStorage.getItem('theme');
    document.documentElement.dataset.bsTheme = chosen || (dark.matches ? 'dark' : 'light');
  };
  show();
  dark.addEventListener('change', show);
  window.emgTheme = () => {
    localStorage.setItem('theme', document.documentElement.dataset.bsTheme === 'dark' ? 'light' : 'dark');
    show();
    document.dispatchEvent(new Event('emg:theme'));
  };
})();
