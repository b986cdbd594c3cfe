import { ApprovalsPage } from './approvals-page.js';
import { AuditPage } from './audit-page.js';
import { BudgetsPage } from './budgets-page.js';
import { DecisionsPage } from './decisions-page.js';
import { KeysPage } from './keys-page.js';
import { NowPage } from './now-page.js';
import { PoliciesPage } from './policies-page.js';
import { RunPage } from './run-page.js';
import { SandboxesPage } from './sandboxes-page.js';
import { SpendPage } from './spend-page.js';
import { StreamsPage } from './streams-page.js';
import { SystemPage } from './system-page.js';
import { ToolsPage } from './tools-page.js';

/**
 * The page of each name. A page has `title`, `isScoped`, `element`, `show(address)`; where it needs them `leave()`, `key(name)`,
 * `escape()` (whether it closed something) and `asked()`, called every three seconds where nothing is pushed.
 */
export const KINDS = {
  now: NowPage, streams: StreamsPage, budgets: BudgetsPage, spend: SpendPage, decisions: DecisionsPage, approvals: ApprovalsPage,
  policies: PoliciesPage, tools: ToolsPage, keys: KeysPage, sandboxes: SandboxesPage, audit: AuditPage, system: SystemPage, run: RunPage,
};
