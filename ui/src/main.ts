import { mount } from 'svelte';
import App from './App.svelte';
import './style/tokens.css';
import './style/base.css';
import './style/shell.css';
import './style/primitives.css';
import './style/data.css';
import './style/page-parts.css';
import './style/dialog.css';
import './style/responsive.css';
import './style/app.css';

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no element with the id app');

mount(App, { target });
