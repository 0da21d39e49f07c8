import { sharedExamples, type Examples } from '../../console/cli/help.js';

/** Of commands that say nothing more behind their help. */
export const appExamples: Examples = {
  ...sharedExamples,
  'lease list': ['lease list', 'lease list --json'],
  'sublet list': ['sublet list'],
  'sublet show': ['sublet show node-1'],
  'sublet extend': ['sublet extend 3q2-796tvu_erb7v3q2-7w --until 90d'],
  'sublet end': ['sublet end node-1', 'sublet end node-1 --destroy 3q2-796tvu_erb7v3q2-7w'],
  'sublet hand-over': ['sublet hand-over sub --out sub.hand-over.json'],
  'sublet receipts': ['sublet receipts 3q2-796tvu_erb7v3q2-7w > sub.receipts'],
  'engines list': ['engines list', 'engines list group:web --json'],
  'engines show': ['engines show web node-1'],
  'engines images': ['engines images node-1 node-2'],
  'engines folders': ['engines folders group:web'],
  'engines start': ['engines start web group:web'],
  'engines stop': ['engines stop web node-1', 'engines stop web group:web --grace 60'],
  'engines kill': ['engines kill web node-1'],
  'engines restart': ['engines restart web node-1 --grace 5'],
  'engines reload': ['engines reload web node-1'],
  'engines pause': ['engines pause web node-1'],
  'engines resume': ['engines resume web node-1'],
  'engines remove': ['engines remove web group:web --confirm web'],
  'engines logs': ['engines logs web node-1 --since 10m', 'engines logs web group:web --follow'],
  'engines secrets list': ['engines secrets list', 'engines secrets list group:web'],
  'engines secrets remove': ['engines secrets remove db-password group:web --confirm db-password'],
};
