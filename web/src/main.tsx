import { render } from 'preact';
import { Page } from './components/page.tsx';
import { PageState } from './model/state.ts';
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/masthead.css';
import './styles/tiles.css';
import './styles/trace.css';
import './styles/sensors.css';
import './styles/refusals.css';
import './styles/first-steps.css';
import './styles/quarantine.css';
import './styles/alerts.css';
import './styles/services.css';
import './styles/travellers.css';

const state = new PageState();
state.start();
render(<Page state={state} />, document.querySelector('#page')!);
